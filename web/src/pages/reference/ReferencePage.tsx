import { Message } from "../../ui/Message";

export default function ReferencePage() {
  return <Message title="API reference" />;
}
