import { Message } from "../../ui/Message";

export default function WorkersPage() {
  return <Message title="Workers" />;
}
