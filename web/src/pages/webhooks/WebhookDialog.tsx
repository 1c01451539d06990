import { useState } from "preact/hooks";
import type { MessageType } from "../../api/schema";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Problems } from "../../ui/Message";

const EVENTS: Record<Exclude<MessageType, "webhook.ping">, string> = {
  "job.created": "it was accepted",
  "job.queued": "it waits again",
  "job.running": "a worker has claimed it",
  "job.paused": "it stands at a checkpoint",
  "job.succeeded": "it has trained to its end",
  "job.failed": "it has ended with an error",
  "job.cancelled": "it has been cancelled",
  "job.checkpoint": "a checkpoint is listed",
};
const ENDINGS = ["job.succeeded", "job.failed", "job.cancelled"];

/** The form of a new webhook. */
export function WebhookDialog({ onClose, onSave }: { onClose: () => void; onSave: (body: unknown) => Promise<void> }) {
  const [error, setError] = useState<unknown>();
  const submit = (form: HTMLFormElement) => {
    const data = new FormData(form);
    const body = { name: data.get("name"), url: data.get("url"), events: data.getAll("events"), jobs: data.get("jobs") };
    setError(undefined);
    onSave(body).catch(setError);
  };
  return (
    <Dialog title="New webhook" onClose={onClose} actions={<span />}>
      <form onSubmit={(event) => (event.preventDefault(), submit(event.currentTarget))}>
        {error !== undefined && <Problems error={error} />}
        <Field label="Name">{(attributes) => <input {...attributes} name="name" required maxLength={200} defaultValue="webhook" />}</Field>
        <Field label="Address" hint="https, with a public host. On a private network an operator allows others.">
          {(attributes) => <input {...attributes} name="url" type="url" required placeholder="https://example.org/graftwerk" />}
        </Field>
        <fieldset>
          <legend>It tells that a job …</legend>
          {Object.entries(EVENTS).map(([name, meaning]) => (
            <div key={name}>
              <label><input type="checkbox" name="events" value={name} defaultChecked={ENDINGS.includes(name)} /> <strong>{name}</strong> <span class="muted">{meaning}</span></label>
            </div>
          ))}
        </fieldset>
        <Field label="Of which jobs" hint="A job names a webhook by its id, in the field webhook of its spec.">
          {(attributes) => (
            <select {...attributes} name="jobs">
              <option value="all">All of the owner</option>
              <option value="named">Those that name it</option>
            </select>
          )}
        </Field>
        <div class="actions">
          <button type="button" onClick={onClose}>Cancel</button>
          <button class="primary">Create</button>
        </div>
      </form>
    </Dialog>
  );
}
