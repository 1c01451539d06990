import { Message } from "../../ui/Message";

export default function JobsPage() {
  return <Message title="Jobs" />;
}
