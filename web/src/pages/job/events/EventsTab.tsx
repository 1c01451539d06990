import { Message } from "../../../ui/Message";
import type { JobTabProps } from "../tabs";

export default function EventsTab({ job }: JobTabProps) {
  return <Message title={`Events of ${job.name}`} />;
}
