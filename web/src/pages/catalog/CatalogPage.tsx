import { Message } from "../../ui/Message";

export default function CatalogPage() {
  return <Message title="Catalogue" />;
}
