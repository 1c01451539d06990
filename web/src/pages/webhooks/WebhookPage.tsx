import { Message } from "../../ui/Message";

export default function WebhookPage() {
  return <Message title="Webhook" />;
}
