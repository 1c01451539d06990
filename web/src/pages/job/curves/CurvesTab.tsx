import { Message } from "../../../ui/Message";
import type { JobTabProps } from "../tabs";

export default function CurvesTab({ job }: JobTabProps) {
  return <Message title={`Curves of ${job.name}`} />;
}
