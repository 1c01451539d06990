import { Message } from "../../ui/Message";

export default function WebhooksPage() {
  return <Message title="Webhooks" />;
}
