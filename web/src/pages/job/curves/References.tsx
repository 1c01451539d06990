import { useState } from "preact/hooks";
import { get } from "../../../api/client";
import { useResource } from "../../../api/resource";
import type { JobSummary } from "../../../api/schema";
import { JobSearch } from "../../../curves/JobSearch";
import type { View } from "../../../curves/view";
import { Dialog } from "../../../ui/Dialog";

/** The other jobs that are drawn beside this one. */
export function useReferences(ids: readonly string[]): JobSummary[] {
  const { data } = useResource((signal) => Promise.all(ids.map((id) => get<JobSummary>(`/v1/jobs/${id}`, {}, signal).catch(() => null))), [ids], 15_000);
  return (data ?? []).filter((job) => job !== null);
}

interface Props {
  jobId: string;
  view: View;
  references: readonly JobSummary[];
  change: (change: Partial<View>) => void;
}

export function References({ jobId, view, references, change }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>Beside other jobs{view.jobs.length ? ` (${view.jobs.length})` : ""}</button>
      {view.jobs.map((id) => (
        <span key={id} class="tag">
          {references.find((job) => job.id === id)?.name ?? id}{" "}
          <button type="button" class="plain" aria-label="Take it away" onClick={() => change({ jobs: view.jobs.filter((each) => each !== id) })}>×</button>
        </span>
      ))}
      {open && (
        <Dialog title="Draw other jobs beside this one" onClose={() => setOpen(false)}>
          <JobSearch chosen={[jobId, ...view.jobs]} onChoose={(id) => change({ jobs: [...view.jobs, id] })} />
        </Dialog>
      )}
    </>
  );
}
