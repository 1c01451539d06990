import { useRef, useState } from "preact/hooks";
import { formatNumber, formatPercent } from "../../../ui/format";
import { confusedPairs, foldConfusion } from "./report";

const FOLD = 20; // classes that are shown at first
const MOST = 80; // and at most

interface Props {
  labels: readonly string[];
  counts: readonly (readonly number[])[];
}

/** How often each class was taken for each: rows are what is true, columns what was said. */
export function ConfusionMatrix({ labels, counts }: Props) {
  const [shares, setShares] = useState(false);
  const [whole, setWhole] = useState(false);
  const shown = foldConfusion(labels, counts, whole ? MOST : FOLD);
  const pairs = confusedPairs(counts, 5);
  return (
    <section>
      <div class="row spread">
        <h3>Confusion</h3>
        <div class="row">
          {labels.length > FOLD && <button type="button" aria-pressed={whole} onClick={() => setWhole(!whole)}>{labels.length > MOST ? `The ${MOST - 1} most confused` : "All classes"}</button>}
          <button type="button" aria-pressed={shares} onClick={() => setShares(!shares)}>Shares of rows</button>
        </div>
      </div>
      <p class="hint">Rows are what is true, columns what was predicted. {shown.folded > 0 && `Shown are the classes that are confused most; the other ${shown.folded} are one row and column.`} Arrow keys move between cells.</p>
      <MatrixTable labels={shown.labels} counts={shown.counts} shares={shares} />
      {pairs.length > 0 && (
        <p class="hint">
          Most often: {pairs.map((pair) => `“${labels[pair.truth]}” taken for “${labels[pair.chosen]}” ${formatNumber(pair.count)} times (${formatPercent(pair.share, 0)})`).join("; ")}.
        </p>
      )}
    </section>
  );
}

function MatrixTable({ labels, counts, shares }: { labels: string[]; counts: number[][]; shares: boolean }) {
  const [place, setPlace] = useState<readonly [number, number]>([0, 0]);
  const table = useRef<HTMLTableElement>(null);
  const move = (event: KeyboardEvent) => {
    const [row, column] = place;
    const last = labels.length - 1;
    const next = ({
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      Home: [row, 0], End: [row, last],
    } as Record<string, [number, number]>)[event.key];
    if (!next || next.some((each) => each < 0 || each > last)) return;
    event.preventDefault();
    setPlace(next);
    table.current?.querySelector<HTMLElement>(`[data-place="${next.join("-")}"]`)?.focus();
  };
  return (
    <div class="scroll evaluation-matrix">
      <table ref={table} role="grid" aria-label="Confusion matrix" onKeyDown={move}>
        <thead>
          <tr role="row"><td />{labels.map((label, index) => <th key={index} role="columnheader" scope="col" title={label}><span>{label}</span></th>)}</tr>
        </thead>
        <tbody>
          {counts.map((row, truth) => (
            <MatrixRow key={truth} truth={truth} row={row} labels={labels} shares={shares} place={place} onFocus={setPlace} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  truth: number;
  row: number[];
  labels: string[];
  shares: boolean;
  place: readonly [number, number];
  onFocus: (place: [number, number]) => void;
}

function MatrixRow({ truth, row, labels, shares, place, onFocus }: RowProps) {
  const support = row.reduce((sum, count) => sum + count, 0);
  return (
    <tr role="row">
      <th role="rowheader" scope="row" title={labels[truth]}><span>{labels[truth]}</span></th>
      {row.map((count, chosen) => {
        const share = support ? count / support : 0;
        const text = `true “${labels[truth]}”, predicted “${labels[chosen]}”: ${formatNumber(count)}, ${formatPercent(share)} of the row`;
        return (
          <td
            key={chosen} role="gridcell" data-place={`${truth}-${chosen}`} title={text} aria-label={text}
            class={chosen === truth ? "right" : count ? "wrong" : "none"}
            style={{ "--share": share }}
            tabIndex={place[0] === truth && place[1] === chosen ? 0 : -1}
            onFocus={() => onFocus([truth, chosen])}
          >
            {count === 0 ? "·" : shares ? Math.round(100 * share) : formatNumber(count)}
          </td>
        );
      })}
    </tr>
  );
}
