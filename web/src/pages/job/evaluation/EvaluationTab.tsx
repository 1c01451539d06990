import { Message } from "../../../ui/Message";
import type { JobTabProps } from "../tabs";

export default function EvaluationTab({ job }: JobTabProps) {
  return <Message title={`Evaluation of ${job.name}`} />;
}
