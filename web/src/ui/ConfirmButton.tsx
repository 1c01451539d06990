import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Dialog } from "./Dialog";
import { toast } from "./Toast";

interface Props {
  label: string;
  question: string;
  children?: ComponentChildren; // what follows from it
  onConfirm: () => Promise<unknown>;
  disabled?: boolean;
}

/** A button for what cannot be undone: it asks first. */
export function ConfirmButton({ label, question, children, onConfirm, disabled }: Props) {
  const [open, setOpen] = useState(false);
  const confirm = () => {
    setOpen(false);
    onConfirm().catch((error: unknown) => toast(error));
  };
  return (
    <>
      <button type="button" class="danger" disabled={disabled} onClick={() => setOpen(true)}>{label}</button>
      {open && (
        <Dialog
          title={question}
          onClose={() => setOpen(false)}
          actions={
            <>
              <button type="button" onClick={() => setOpen(false)}>Keep it</button>
              <button type="button" class="danger" onClick={confirm}>{label}</button>
            </>
          }
        >
          {children}
        </Dialog>
      )}
    </>
  );
}
