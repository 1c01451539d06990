import { useState } from "preact/hooks";
import { get, post } from "../../api/client";
import { useResource } from "../../api/resource";
import type { NewWebhook, Webhook, WebhookPage } from "../../api/schema";
import { Loaded } from "../../ui/Loaded";
import { Message } from "../../ui/Message";
import { SecretDialog } from "../../ui/SecretDialog";
import { Time } from "../../ui/Time";
import { WebhookDialog } from "./WebhookDialog";
import { WebhookStatus } from "./WebhookStatus";

/** Who is told of jobs. */
export default function WebhooksPage() {
  const webhooks = useResource((signal) => get<WebhookPage>("/v1/webhooks", {}, signal), [], 10_000);
  const [creating, setCreating] = useState(false);
  const [made, setMade] = useState<NewWebhook>();
  const create = async (body: unknown) => {
    setMade(await post<NewWebhook>("/v1/webhooks", body));
    setCreating(false);
    webhooks.reload();
  };
  return (
    <>
      <div class="row spread">
        <h1>Webhooks</h1>
        <button type="button" class="primary" onClick={() => setCreating(true)}>New webhook</button>
      </div>
      <Loaded resource={webhooks} what="webhooks">
        {({ items }) =>
          items.length === 0 ? (
            <Message title="No webhooks">A webhook tells a program of yours what becomes of jobs, by signed requests that are repeated until they arrive.</Message>
          ) : (
            <Table webhooks={items} />
          )
        }
      </Loaded>
      {creating && <WebhookDialog onClose={() => setCreating(false)} onSave={create} />}
      {made && <SecretDialog title={`The secret of “${made.name}”`} secret={made.secret} hint="The receiver verifies signatures with it." onClose={() => setMade(undefined)} />}
    </>
  );
}

function Table({ webhooks }: { webhooks: readonly Webhook[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Webhooks">
      <table>
        <thead><tr><th>Name</th><th>Status</th><th>Address</th><th>Events</th><th>Jobs</th><th>Created</th></tr></thead>
        <tbody>
          {webhooks.map((webhook) => (
            <tr key={webhook.id}>
              <td><a href={`/webhooks/${webhook.id}`}>{webhook.name}</a></td>
              <td><WebhookStatus of={webhook} /></td>
              <td class="data-text">{webhook.url}</td>
              <td>{webhook.events.join(", ")}</td>
              <td>{webhook.jobs === "all" ? "all" : "those that name it"}</td>
              <td><Time at={webhook.created_at} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
