import { Message } from "../../ui/Message";

export default function KeysPage() {
  return <Message title="Keys" />;
}
