import { useState } from "preact/hooks";
import type { Group } from "./names";
import { Check } from "./Toolbar";
import type { View } from "./view";
import { Dialog } from "../ui/Dialog";

interface Props {
  groups: readonly Group[];
  shown: readonly Group[];
  view: View;
  change: (change: Partial<View>) => void;
}

/** Which charts there are: all of a small job; of a network with many counted nodes those that are chosen. */
export function MetricPicker({ groups, shown, view, change }: Props) {
  const [open, setOpen] = useState(false);
  const [search, setSearch] = useState("");
  const chosen = shown.map(({ measure }) => measure);
  const found = groups.filter(({ measure }) => measure.toLowerCase().includes(search.toLowerCase()));
  const set = (measures: string[]) => change({ measures: measures.length === groups.length ? [] : measures });
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>Metrics ({shown.length} of {groups.length})</button>
      {open && (
        <Dialog title="Metrics" onClose={() => setOpen(false)}>
          <input type="search" aria-label="Search metrics" placeholder="Search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
          <p><Check label="train, val and test in charts of their own" checked={view.apart} onChange={(apart) => change({ apart, measures: [] })} /></p>
          <ul class="curve-choice">
            {found.slice(0, 200).map(({ measure, names }) => (
              <li key={measure}>
                <Check
                  label={names.length > 1 ? `${measure} (${names.join(", ")})` : names[0]!}
                  checked={chosen.includes(measure)}
                  onChange={(checked) => set(checked ? [...chosen, measure] : chosen.filter((each) => each !== measure))}
                />
              </li>
            ))}
          </ul>
          {found.length > 200 && <p class="hint">{found.length - 200} more: search for their names.</p>}
          <div class="row">
            <button type="button" onClick={() => set([...new Set([...chosen, ...found.slice(0, 50).map(({ measure }) => measure)])])}>Show those found</button>
            <button type="button" onClick={() => set([])}>As at first</button>
          </div>
        </Dialog>
      )}
    </>
  );
}
