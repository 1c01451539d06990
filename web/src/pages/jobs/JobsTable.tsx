import { useRef } from "preact/hooks";
import type { JobSummary } from "../../api/schema";
import { JobRow } from "./JobRow";
import type { Row } from "./rows";
import { selectRange, type Selection } from "./selection";

interface Props {
  rows: Row[];
  metric: string;
  selection: Selection;
  onSelection: (selection: Selection) => void;
}

/** The jobs of a page. Checkboxes: Shift selects a range, arrows go from row to row, Escape clears. */
export function JobsTable({ rows, metric, selection, onSelection }: Props) {
  const last = useRef<string | undefined>(undefined);
  const jobs = rows.map((row) => row.job);
  const select = (job: JobSummary, selected: boolean, range: boolean) => {
    onSelection(selectRange(selection, jobs, range ? last.current : undefined, job.id, selected));
    last.current = job.id;
  };
  const all = jobs.length > 0 && jobs.every((job) => selection.has(job.id));
  const selectAll = () => onSelection(all ? new Map() : new Map([...selection, ...jobs.map((job) => [job.id, job] as const)]));
  return (
    <table class="jobs-table" role="table" onKeyDown={moveFocus(() => onSelection(new Map()))}>
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col" class="check">
            <input type="checkbox" aria-label="Select all jobs of this page" checked={all} onClick={selectAll} />
          </th>
          <th role="columnheader" scope="col">Job</th>
          <th role="columnheader" scope="col">Status</th>
          <th role="columnheader" scope="col">Curve</th>
          <th role="columnheader" scope="col" class="number">Last</th>
          <th role="columnheader" scope="col" class="times">Time</th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <JobRow
            key={row.job.id}
            row={row}
            metric={metric}
            selected={selection.has(row.job.id)}
            onSelect={(selected, range) => select(row.job, selected, range)}
          />
        ))}
      </tbody>
    </table>
  );
}

const moveFocus = (clear: () => void) => (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
  if (event.key === "Escape") return clear();
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by === undefined || !(event.target instanceof HTMLInputElement)) return;
  const boxes = [...event.currentTarget.querySelectorAll<HTMLInputElement>("td.check input")];
  const next = boxes[boxes.indexOf(event.target) + by];
  if (!next) return;
  event.preventDefault();
  next.focus();
  if (event.shiftKey && !next.checked) next.click();
};
