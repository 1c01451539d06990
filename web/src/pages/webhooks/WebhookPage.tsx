import { useState } from "preact/hooks";
import { get, post, remove } from "../../api/client";
import { useResource } from "../../api/resource";
import type { NewWebhook, Webhook } from "../../api/schema";
import { navigate } from "../../shell/router";
import type { PageProps } from "../../shell/routes";
import { ConfirmButton } from "../../ui/ConfirmButton";
import { Loaded } from "../../ui/Loaded";
import { SecretDialog } from "../../ui/SecretDialog";
import { toast } from "../../ui/Toast";
import { Deliveries } from "./Deliveries";
import { WebhookStatus } from "./WebhookStatus";
import "./webhooks.css";

/** One webhook: its state, and every message to it. */
export default function WebhookPage({ parameters }: PageProps) {
  const place = `/v1/webhooks/${parameters.id}`;
  const webhook = useResource((signal) => get<Webhook>(place, {}, signal), [place], 5000);
  const [turn, setTurn] = useState(0); // of the list of messages, after what adds one
  const [secret, setSecret] = useState<string>();
  const act = (verb: string, done: string) =>
    post(`${place}/${verb}`).then(() => (toast(done), webhook.reload(), setTurn(turn + 1)), toast);
  return (
    <>
      <p><a href="/webhooks">All webhooks</a></p>
      <Loaded resource={webhook} what="the webhook">
        {(found) => (
          <>
            <div class="row spread">
              <h1>{found.name}</h1>
              <div class="row">
                <button type="button" onClick={() => void act("ping", "A test message is on its way")}>Send a test</button>
                {found.status === "disabled" && <button type="button" class="primary" onClick={() => void act("enable", "It goes on, with what waited")}>Enable</button>}
                <ConfirmButton label="Rotate the secret" question="Give the webhook another secret?" onConfirm={() => post<NewWebhook>(`${place}/rotate`).then((made) => setSecret(made.secret))}>
                  <p>For a day messages are signed under the old one too.</p>
                </ConfirmButton>
                <ConfirmButton label="Delete" question={`Delete “${found.name}”?`} onConfirm={() => remove(place).then(() => navigate("/webhooks"))}>
                  <p>Its messages go with it, those that wait too.</p>
                </ConfirmButton>
              </div>
            </div>
            <dl>
              <dt>Status</dt><dd><WebhookStatus of={found} /></dd>
              <dt>Address</dt><dd class="data-text">{found.url}</dd>
              <dt>Events</dt><dd>{found.events.join(", ")}</dd>
              <dt>Jobs</dt><dd>{found.jobs === "all" ? "all of the owner" : "those that name it"}</dd>
              <dt>Id</dt><dd><code>{found.id}</code></dd>
            </dl>
          </>
        )}
      </Loaded>
      <Deliveries place={place} turn={turn} />
      {secret && <SecretDialog title="The new secret" secret={secret} hint="The receiver verifies signatures with it." onClose={() => setSecret(undefined)} />}
    </>
  );
}
