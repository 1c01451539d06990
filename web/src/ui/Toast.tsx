import { signal } from "@preact/signals";
import { messageOf } from "./Message";

interface Note {
  id: number;
  text: string;
  failed: boolean;
}

const notes = signal<Note[]>([]);
let count = 0;

/** Say briefly that something happened (a text) or failed (an error). */
export function toast(what: unknown): void {
  const failed = typeof what !== "string";
  const note = { id: ++count, text: failed ? messageOf(what) : what, failed };
  notes.value = [...notes.value.slice(-3), note];
  setTimeout(() => dismiss(note.id), failed ? 12_000 : 4000);
}

const dismiss = (id: number) => {
  notes.value = notes.value.filter((note) => note.id !== id);
};

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {notes.value.map((note) => (
        <div key={note.id} class={note.failed ? "toast failed" : "toast"}>
          {note.text}
          <button type="button" class="plain" aria-label="Dismiss" onClick={() => dismiss(note.id)}>×</button>
        </div>
      ))}
    </div>
  );
}
