import { get } from "../../api/client";
import { useResource } from "../../api/resource";
import type { AuditEntry, AuditPage as Entries } from "../../api/schema";
import { queryParameters, setQuery } from "../../shell/router";
import { Field } from "../../ui/Field";
import { Loaded } from "../../ui/Loaded";
import { Message } from "../../ui/Message";
import { Paging } from "../../ui/Paging";
import { formatTime } from "../../ui/format";
import { ACTIONS } from "./actions";

const FILTERS = ["key", "target"] as const;
const LABELS = { key: "Key", target: "Object" };
const HINTS = { key: "key_…", target: "job_…, key_…, ds_…, whk_…" };

/** What keys changed, and who was refused. */
export default function AuditPage() {
  const query = queryParameters.value;
  const [action, key, target, after] = ["action", "key", "target", "after"].map((name) => query.get(name));
  const resource = useResource(
    (signal) => get<Entries>("/v1/audit", { action, key, target, after, limit: 50 }, signal),
    [action, key, target, after],
    after ? undefined : 10_000,
  );
  return (
    <>
      <h1>Audit</h1>
      <form class="row filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <Field label="Action">
          {(attributes) => (
            <select {...attributes} value={action ?? ""} onChange={(event) => setQuery({ action: event.currentTarget.value, after: null })}>
              <option value="">All</option>
              {ACTIONS.map((each) => <option key={each} value={each}>{each}</option>)}
            </select>
          )}
        </Field>
        {FILTERS.map((name) => (
          <Field key={name} label={LABELS[name]}>
            {(attributes) => (
              <input {...attributes} type="search" placeholder={HINTS[name]} value={query.get(name) ?? ""} onChange={(event) => setQuery({ [name]: event.currentTarget.value.trim(), after: null })} />
            )}
          </Field>
        ))}
      </form>
      <Loaded resource={resource} what="entries">
        {({ items, has_more }) => (
          <>
            {items.length === 0 ? <Message title="No entries">Nothing that fits these filters was changed or refused.</Message> : <Table entries={items} />}
            <Paging after={after ?? null} next={has_more ? (items.at(-1)?.id ?? null) : null} onChange={(place) => setQuery({ after: place }, { replace: false })} />
          </>
        )}
      </Loaded>
    </>
  );
}

function Table({ entries }: { entries: readonly AuditEntry[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Entries">
      <table>
        <thead>
          <tr><th>Time</th><th>Action</th><th>Object</th><th>Key</th><th>From</th><th>Details</th></tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.id}>
              <td><time dateTime={entry.at}>{formatTime(entry.at)}</time></td>
              <td>{entry.action}</td>
              <td>{entry.target && <Reference id={entry.target} />}</td>
              <td>{entry.key_id && <a href={`?key=${entry.key_id}`}>{shortId(entry.key_id)}</a>}</td>
              <td>{entry.address}</td>
              <td class="muted">{Object.entries(entry.data).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const PAGES: Record<string, string> = { job: "/jobs/", ds: "/datasets/", whk: "/webhooks/" };

function Reference({ id }: { id: string }) {
  const page = PAGES[id.split("_")[0] ?? ""];
  return page ? <a href={page + id} title={id}>{shortId(id)}</a> : <a href={`?target=${encodeURIComponent(id)}`} title={id}>{shortId(id)}</a>;
}

const shortId = (id: string): string => (id.length > 16 ? `${id.split("_")[0]}_…${id.slice(-8)}` : id);
