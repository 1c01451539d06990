import { Message } from "../../ui/Message";

export default function DatasetPage() {
  return <Message title="Data set" />;
}
