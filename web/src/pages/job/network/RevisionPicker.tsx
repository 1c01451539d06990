import { setQuery } from "../../../shell/router";
import { describeEdit, type Revision } from "./useRevisions";

interface Props {
  revisions: Revision[];
  current: number;
  compared: number | null;
}

/** Which revision is shown, and with which it is compared. Shown once there are several. */
export function RevisionPicker({ revisions, current, compared }: Props) {
  if (revisions.length < 2) return null;
  const newest = revisions[0]!.number;
  return (
    <div class="row network-pick">
      <label class="network-pick">
        Revision
        <select value={current} onChange={(event) => setQuery({ revision: Number(event.currentTarget.value) === newest ? null : event.currentTarget.value, node: null })}>
          {revisions.map((each) => <option key={each.number} value={each.number}>{labelOf(each, newest)}</option>)}
        </select>
      </label>
      <label class="network-pick">
        compared with
        <select value={compared ?? ""} onChange={(event) => setQuery({ with: event.currentTarget.value || null, node: null })}>
          <option value="">no other</option>
          {revisions.filter((each) => each.number !== current).map((each) => <option key={each.number} value={each.number}>{labelOf(each, newest)}</option>)}
        </select>
      </label>
    </div>
  );
}

function labelOf({ number, edit }: Revision, newest: number): string {
  const what = edit ? describeEdit(edit) : number === 1 ? "as it was sent" : "";
  const text = `${number}${number === newest ? " (current)" : ""}${what && `: ${what}`}`;
  return text.length > 64 ? `${text.slice(0, 63)}…` : text;
}
