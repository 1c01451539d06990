import { Message } from "../../../ui/Message";
import type { JobTabProps } from "../tabs";

export default function PredictTab({ job }: JobTabProps) {
  return <Message title={`Predict of ${job.name}`} />;
}
