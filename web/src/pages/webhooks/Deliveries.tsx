import { get, post } from "../../api/client";
import { useResource } from "../../api/resource";
import type { Delivery, DeliveryPage } from "../../api/schema";
import { queryParameters, setQuery } from "../../shell/router";
import { Field } from "../../ui/Field";
import { formatTime } from "../../ui/format";
import { Loaded } from "../../ui/Loaded";
import { Message } from "../../ui/Message";
import { Paging } from "../../ui/Paging";
import { Time } from "../../ui/Time";
import { toast } from "../../ui/Toast";

const KINDS: Record<string, string> = { delivered: "succeeded", pending: "running", failed: "failed" };

/** The log of a webhook's messages, each with its attempts. */
export function Deliveries({ place, turn }: { place: string; turn: number }) {
  const [status, after] = ["status", "after"].map((name) => queryParameters.value.get(name));
  const log = useResource(
    (signal) => get<DeliveryPage>(`${place}/deliveries`, { status, after, limit: 50 }, signal),
    [place, status, after, turn],
    after ? undefined : 3000,
  );
  const resend = (id: string) => post(`${place}/deliveries/${id}/resend`).then(() => (toast("It is sent again"), log.reload()), toast);
  return (
    <section>
      <div class="row spread">
        <h2>Messages</h2>
        <Field label="Status">
          {(attributes) => (
            <select {...attributes} value={status ?? ""} onChange={(event) => setQuery({ status: event.currentTarget.value, after: null })}>
              <option value="">All</option>
              {Object.keys(KINDS).map((each) => <option key={each} value={each}>{each}</option>)}
            </select>
          )}
        </Field>
      </div>
      <Loaded resource={log} what="messages">
        {({ items, has_more }) => (
          <>
            {items.length === 0 && <Message title="No messages">“Send a test” makes one.</Message>}
            <ul class="deliveries">
              {items.map((each) => <DeliveryItem key={each.id} of={each} onResend={() => void resend(each.id)} />)}
            </ul>
            <Paging after={after ?? null} next={has_more ? (items.at(-1)?.id ?? null) : null} onChange={(id) => setQuery({ after: id }, { replace: false })} />
          </>
        )}
      </Loaded>
    </section>
  );
}

function DeliveryItem({ of: delivery, onResend }: { of: Delivery; onResend: () => void }) {
  const last = delivery.attempts.at(-1);
  return (
    <li class="panel">
      <div class="row spread">
        <strong>{delivery.type}</strong>
        <span class={`status ${KINDS[delivery.status] ?? ""}`}>{delivery.status}</span>
        {delivery.job_id && <a href={`/jobs/${delivery.job_id}`}>its job</a>}
        <span class="muted grow"><Time at={delivery.created_at} />{delivery.next_at && <>, tried again at {formatTime(delivery.next_at)}</>}</span>
        <button type="button" onClick={onResend}>Resend</button>
      </div>
      {last && <p class="muted">{attemptText(last)}</p>}
      <details>
        <summary>{delivery.attempts.length} {delivery.attempts.length === 1 ? "attempt" : "attempts"}, and the message</summary>
        <ol>
          {delivery.attempts.map((attempt, index) => <li key={index}>{formatTime(attempt.at)}: {attemptText(attempt)}</li>)}
        </ol>
        <pre tabIndex={0}><code>{JSON.stringify(delivery.message, null, 2)}</code></pre>
      </details>
    </li>
  );
}

function attemptText({ status, error, detail, seconds }: Delivery["attempts"][number]): string {
  const answer = status === null ? error : `${status}${error && ` (${error})`}`;
  return `${answer || "arrived"} after ${Math.round(1000 * seconds)} ms${detail && `: ${detail}`}`;
}
