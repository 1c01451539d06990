import { Message } from "../../../ui/Message";
import type { JobTabProps } from "../tabs";

export default function CheckpointsTab({ job }: JobTabProps) {
  return <Message title={`Checkpoints of ${job.name}`} />;
}
