import { formatAge } from "../../ui/format";
import type { Draft } from "./drafts";
import type { Beginning } from "./source";

interface Props {
  beginning: Beginning;
  draft: Draft | null; // what was shown instead of the beginning
  saved: boolean;
  onRestart: () => void;
}

/** Where the text comes from, and that it is kept. */
export function Note({ beginning, draft, saved, onRestart }: Props) {
  const { note, link, reasons } = beginning;
  return (
    <>
      {draft && (
        <p class="notice">
          This is what you wrote {formatAge(new Date(draft.at).toISOString())}, and did not submit.{" "}
          <button type="button" onClick={onRestart}>{beginning.text ? "Begin anew with the original" : "Begin anew"}</button>
        </p>
      )}
      {!saved && <p class="notice warning">The browser has no room to keep this text: it is lost when the page is left.</p>}
      {note && <p class="muted">{link ? <a href={link}>{note}</a> : note}</p>}
      {reasons.length > 0 && (
        <details open>
          <summary>Why it is proposed so</summary>
          <ul class="new-job-reasons">
            {reasons.map(({ pointer, text }) => <li key={pointer + text}>{pointer && <code>{pointer}</code>} {text}</li>)}
          </ul>
        </details>
      )}
    </>
  );
}
