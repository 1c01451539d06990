import { Message } from "../../ui/Message";

export default function DatasetsPage() {
  return <Message title="Data sets" />;
}
