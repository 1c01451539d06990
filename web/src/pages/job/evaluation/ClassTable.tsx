import { useState } from "preact/hooks";
import { formatNumber, formatPercent } from "../../../ui/format";
import { sortRows, type Averages, type ClassRow, type Scores, type SortKey } from "./report";

const COLUMNS: readonly { key: SortKey; label: string; hint: string }[] = [
  { key: "label", label: "Label", hint: "as in the data" },
  { key: "precision", label: "Precision", hint: "of what was predicted so, the share that is" },
  { key: "recall", label: "Recall", hint: "of what is so, the share that was predicted" },
  { key: "f1", label: "F1", hint: "harmonic mean of precision and recall" },
  { key: "support", label: "Support", hint: "how often it is true" },
  { key: "predicted", label: "Predicted", hint: "how often it was predicted" },
  { key: "right", label: "Right", hint: "how often both" },
];
const SHOWN = 20;

/** Precision, recall and F1 of each class, label or type of entity; its columns sort. */
export function ClassTable({ title, rows, averages }: { title: string; rows: readonly ClassRow[]; averages: Averages | null | undefined }) {
  const [sort, setSort] = useState<{ key: SortKey; descending: boolean } | null>(null);
  const [limit, setLimit] = useState(SHOWN);
  const sorted = sort ? sortRows(rows, sort.key, sort.descending) : rows;
  return (
    <section>
      <h3>{title}</h3>
      <div class="scroll" tabIndex={0} role="region" aria-label={title}>
        <table class="evaluation-classes">
          <thead>
            <tr>
              {COLUMNS.map(({ key, label, hint }) => (
                <th key={key} class={key === "label" ? "" : "number"} aria-sort={sort?.key === key ? (sort.descending ? "descending" : "ascending") : "none"}>
                  <button type="button" class="plain" title={hint} onClick={() => setSort({ key, descending: sort?.key === key ? !sort.descending : key !== "label" })}>
                    {label}<span aria-hidden="true">{sort?.key === key ? (sort.descending ? " ↓" : " ↑") : ""}</span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, limit).map((row) => (
              <tr key={row.label}>
                <th scope="row">{row.label}</th>
                <ScoreCells scores={row} />
                <td class="number">{formatNumber(row.support)}</td><td class="number">{formatNumber(row.predicted)}</td><td class="number">{formatNumber(row.right)}</td>
              </tr>
            ))}
          </tbody>
          <tfoot>
            {(["macro", "weighted", "micro"] as const).map((name) => averages?.[name] && (
              <tr key={name}><th scope="row">{name} average</th><ScoreCells scores={averages[name]} /><td colSpan={3} /></tr>
            ))}
          </tfoot>
        </table>
      </div>
      {rows.length > limit && <button type="button" onClick={() => setLimit(limit + 1000)}>Show all {formatNumber(rows.length)}</button>}
    </section>
  );
}

function ScoreCells({ scores }: { scores: Scores }) {
  return (
    <>
      {(["precision", "recall", "f1"] as const).map((name) => {
        const value = scores[name];
        return <td key={name} class="number">{value === null ? "–" : formatPercent(value)}</td>;
      })}
    </>
  );
}
