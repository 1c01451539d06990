import { Message } from "../../../ui/Message";
import type { JobTabProps } from "../tabs";

export default function SurgeryTab({ job }: JobTabProps) {
  return <Message title={`Surgery of ${job.name}`} />;
}
