import { Message } from "../../ui/Message";

export default function ComparePage() {
  return <Message title="Comparison" />;
}
