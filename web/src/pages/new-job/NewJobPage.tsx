import { Message } from "../../ui/Message";

export default function NewJobPage() {
  return <Message title="New job" />;
}
