import { useState } from "preact/hooks";
import { get, post, remove } from "../../api/client";
import { useResource } from "../../api/resource";
import { hasScope } from "../../api/session";
import type { Key, KeyPage, NewKey } from "../../api/schema";
import { queryParameters, setQuery } from "../../shell/router";
import { ConfirmButton } from "../../ui/ConfirmButton";
import { Loaded } from "../../ui/Loaded";
import { Paging } from "../../ui/Paging";
import { SecretDialog } from "../../ui/SecretDialog";
import { Time } from "../../ui/Time";
import { formatTime } from "../../ui/format";
import { KeyDialog } from "./KeyDialog";
import { RotateDialog } from "./RotateDialog";
import { UsagePanel } from "./UsagePanel";
import "./keys.css";

/** The key that is signed in and what it uses; for admins all keys of the owner. */
export default function KeysPage() {
  return (
    <>
      <UsagePanel />
      {hasScope("admin") ? <Keys /> : <p class="muted">Keys with the scope admin can create, change and revoke keys here.</p>}
    </>
  );
}

type Open = { kind: "create" } | { kind: "change" | "rotate"; key: Key } | { kind: "token"; key: NewKey };

function Keys() {
  const after = queryParameters.value.get("after");
  const keys = useResource((signal) => get<KeyPage>("/v1/keys", { after, limit: 50 }, signal), [after]);
  const [open, setOpen] = useState<Open>();
  const close = () => {
    setOpen(undefined);
    keys.reload();
  };
  const showToken = (key: NewKey) => setOpen({ kind: "token", key });
  return (
    <section>
      <div class="row spread">
        <h2>Keys</h2>
        <button type="button" class="primary" onClick={() => setOpen({ kind: "create" })}>New key</button>
      </div>
      <Loaded resource={keys} what="keys">
        {({ items, has_more }) => (
          <>
            <div class="scroll" tabIndex={0} role="region" aria-label="Keys">
              <table>
                <thead>
                  <tr><th>Name</th><th>State</th><th>Scopes</th><th>Own limits</th><th>Last used</th><th>Created</th><th><span class="visually-hidden">Actions</span></th></tr>
                </thead>
                <tbody>
                  {items.map((key) => <Row key={key.id} of={key} onOpen={setOpen} onChange={keys.reload} />)}
                </tbody>
              </table>
            </div>
            <Paging after={after} next={has_more ? (items.at(-1)?.id ?? null) : null} onChange={(place) => setQuery({ after: place }, { replace: false })} />
          </>
        )}
      </Loaded>
      {open?.kind === "create" && <KeyDialog onClose={close} onSave={async (body) => showToken(await post<NewKey>("/v1/keys", body))} />}
      {open?.kind === "change" && <KeyDialog of={open.key} onClose={close} />}
      {open?.kind === "rotate" && <RotateDialog of={open.key} onClose={close} onRotated={showToken} />}
      {open?.kind === "token" && (
        <SecretDialog title={`The key “${open.key.name}”`} secret={open.key.token} hint="Programs send it as Authorization: Bearer gw_…" onClose={close} />
      )}
    </section>
  );
}

function Row({ of: key, onOpen, onChange }: { of: Key; onOpen: (open: Open) => void; onChange: () => void }) {
  const usable = key.revoked_at === null;
  return (
    <tr class={usable ? "" : "muted"}>
      <td>{key.name}<br /><code class="id">{key.id}</code></td>
      <td><State of={key} /></td>
      <td>{key.scopes.join(", ")}</td>
      <td>{Object.entries(key.limits).map(([name, value]) => <div key={name}>{name}: {String(value)}</div>)}</td>
      <td>{key.last_used_at ? <Time at={key.last_used_at} /> : "never"}</td>
      <td><Time at={key.created_at} /></td>
      <td>
        {usable && (
          <div class="row end">
            <button type="button" onClick={() => onOpen({ kind: "change", key })}>Change</button>
            <button type="button" onClick={() => onOpen({ kind: "rotate", key })}>Rotate</button>
            <ConfirmButton label="Revoke" question={`Revoke the key “${key.name}”?`} onConfirm={() => remove(`/v1/keys/${key.id}`).then(onChange)}>
              <p>At once and for good: programs with it are refused, and browsers that it signed in are signed out. Its jobs stay.</p>
            </ConfirmButton>
          </div>
        )}
      </td>
    </tr>
  );
}

function State({ of: key }: { of: Key }) {
  if (key.revoked_at) return <>revoked <Time at={key.revoked_at} /></>;
  if (key.expires_at && Date.parse(key.expires_at) <= Date.now()) return <>expired</>;
  return (
    <>
      <span class="status succeeded"><span aria-hidden="true">✓</span> valid</span>
      {key.expires_at && <div class="muted">until {formatTime(key.expires_at)}</div>}
      {key.old_token_until && Date.parse(key.old_token_until) > Date.now() && <div class="muted">old token until {formatTime(key.old_token_until)}</div>}
    </>
  );
}
