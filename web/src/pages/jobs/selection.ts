import type { JobSummary } from "../../api/schema";

/** The selected jobs by id, of other pages too, as they were when they were selected. */
export type Selection = ReadonlyMap<string, JobSummary>;

/** Select or deselect a job; with `from`, all of the page's jobs between the two. */
export function selectRange(selection: Selection, jobs: readonly JobSummary[], from: string | undefined, to: string, selected: boolean): Selection {
  const end = jobs.findIndex((job) => job.id === to);
  const start = from === undefined ? end : jobs.findIndex((job) => job.id === from);
  const [low, high] = start < 0 ? [end, end] : [Math.min(start, end), Math.max(start, end)];
  const next = new Map(selection);
  for (const job of jobs.slice(low, high + 1)) {
    if (selected) next.set(job.id, job);
    else next.delete(job.id);
  }
  return next;
}

/** The selection with the present state of the jobs that are shown. */
export const refreshSelection = (selection: Selection, jobs: readonly JobSummary[]): Selection => {
  const shown = new Map(jobs.map((job) => [job.id, job]));
  return new Map([...selection].map(([id, job]) => [id, shown.get(id) ?? job]));
};
