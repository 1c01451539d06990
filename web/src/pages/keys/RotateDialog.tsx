import { useState } from "preact/hooks";
import { post } from "../../api/client";
import type { Key, NewKey } from "../../api/schema";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Problems } from "../../ui/Message";

const GRACES = [
  { seconds: 0, label: "not at all" },
  { seconds: 3600, label: "for an hour" },
  { seconds: 86_400, label: "for a day" },
  { seconds: 7 * 86_400, label: "for a week" },
];

/** Asks for how long the old token opens too, and gives the key another one. */
export function RotateDialog({ of: key, onClose, onRotated }: { of: Key; onClose: () => void; onRotated: (key: NewKey) => void }) {
  const [grace, setGrace] = useState(3600);
  const [error, setError] = useState<unknown>();
  const rotate = () => post<NewKey>(`/v1/keys/${key.id}/rotate`, { grace_seconds: grace }).then(onRotated, setError);
  return (
    <Dialog
      title={`Give “${key.name}” another token?`}
      onClose={onClose}
      actions={
        <>
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="button" class="primary" onClick={() => void rotate()}>Rotate</button>
        </>
      }
    >
      {error !== undefined && <Problems error={error} />}
      <Field label="The old token opens" hint="Browsers that it signed in are signed out when it ends, this one too if this is its key.">
        {(attributes) => (
          <select {...attributes} value={grace} onChange={(event) => setGrace(Number(event.currentTarget.value))}>
            {GRACES.map(({ seconds, label }) => <option key={seconds} value={seconds}>{label}</option>)}
          </select>
        )}
      </Field>
    </Dialog>
  );
}
