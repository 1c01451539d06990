import { Message } from "../../ui/Message";

export default function AuditPage() {
  return <Message title="Audit" />;
}
