import { Message } from "../../../ui/Message";
import type { JobTabProps } from "../tabs";

export default function NetworkTab({ job }: JobTabProps) {
  return <Message title={`Network of ${job.name}`} />;
}
