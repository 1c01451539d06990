import { useState } from "preact/hooks";
import { call } from "../../api/client";
import type { Key } from "../../api/schema";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Problems } from "../../ui/Message";
import { LIMITS, readLimits, readTime, showTime } from "./limits";

const SCOPES = [
  { name: "read", meaning: "sees jobs, data and results; predicts" },
  { name: "write", meaning: "submits and changes jobs and data" },
  { name: "admin", meaning: "everything, keys and webhooks too" },
];

interface Props {
  of?: Key; // to be changed; without one a key is created
  onClose: () => void;
  onSave?: (body: unknown) => Promise<void>; // creates it
}

/** The form of a new key, or of changes to one. */
export function KeyDialog({ of: key, onClose, onSave }: Props) {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = async (form: HTMLFormElement) => {
    const data = new FormData(form);
    const fields = Object.fromEntries([...data].map(([name, value]) => [name, String(value)]));
    const own = readLimits(fields);
    const common = { name: fields.name, expires_at: readTime(fields.expires_at ?? "") };
    setBusy(true);
    setError(undefined);
    try {
      if (key) {
        await call("PATCH", `/v1/keys/${key.id}`, { body: { ...common, limits: own } });
        onClose();
      } else {
        const limits = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== null));
        await onSave?.({ ...common, scopes: data.getAll("scopes"), limits });
      }
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const limits = key?.limits as Record<string, string | number> | undefined;
  return (
    <Dialog title={key ? `Change “${key.name}”` : "New key"} onClose={onClose} actions={<span />}>
      <form onSubmit={(event) => (event.preventDefault(), void submit(event.currentTarget))}>
        {error !== undefined && <Problems error={error} />}
        <Field label="Name" hint="What it is for.">
          {(attributes) => <input {...attributes} name="name" required maxLength={200} defaultValue={key?.name ?? ""} />}
        </Field>
        {!key && <Scopes />}
        <Field label="Expires" hint="Empty: never. In your own time zone.">
          {(attributes) => <input {...attributes} name="expires_at" type="datetime-local" defaultValue={showTime(key?.expires_at ?? null)} />}
        </Field>
        <details open={Object.keys(limits ?? {}).length > 0}>
          <summary>Limits of its own</summary>
          <p class="hint">An empty field leaves the limit of the service's settings.</p>
          <div class="limit-fields">
            {LIMITS.map(({ name, label, hint }) => (
              <Field key={name} label={label} hint={hint}>
                {(attributes) => <input {...attributes} name={name} defaultValue={limits?.[name] ?? ""} />}
              </Field>
            ))}
          </div>
        </details>
        <div class="actions">
          <button type="button" onClick={onClose}>Cancel</button>
          <button class="primary" disabled={busy}>{key ? "Save" : "Create"}</button>
        </div>
      </form>
    </Dialog>
  );
}

function Scopes() {
  return (
    <fieldset>
      <legend>Scopes</legend>
      {SCOPES.map(({ name, meaning }) => (
        <div key={name}>
          <label>
            <input type="checkbox" name="scopes" value={name} defaultChecked={name !== "admin"} /> <strong>{name}</strong> <span class="muted">{meaning}</span>
          </label>
        </div>
      ))}
    </fieldset>
  );
}
