import { Message } from "../../../ui/Message";
import type { JobTabProps } from "../tabs";

export default function SpecTab({ job }: JobTabProps) {
  return <Message title={`Spec of ${job.name}`} />;
}
