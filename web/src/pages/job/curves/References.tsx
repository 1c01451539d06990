import { useState } from "preact/hooks";
import { get } from "../../../api/client";
import { useResource } from "../../../api/resource";
import type { JobPage, JobSummary } from "../../../api/schema";
import type { View } from "../../../curves/view";
import { Dialog } from "../../../ui/Dialog";
import { Problems } from "../../../ui/Message";
import { StatusBadge } from "../../../ui/StatusBadge";
import { Time } from "../../../ui/Time";

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

/** Jobs by a part of their name or id, the newest first. */
export function JobSearch({ chosen, onChoose }: { chosen: readonly string[]; onChoose: (id: string) => void }) {
  const [search, setSearch] = useState("");
  const { data, error } = useResource((signal) => get<JobPage>("/v1/jobs", { limit: 50, search: search || null }, signal), [search]);
  return (
    <>
      <input type="search" aria-label="Search jobs" placeholder="Part of a name" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
      {error !== undefined && !data && <Problems error={error} />}
      <ul class="curve-choice">
        {data?.items.filter(({ id }) => !chosen.includes(id)).map((job) => (
          <li key={job.id}>
            <button type="button" class="plain" onClick={() => onChoose(job.id)}>Add {job.name}</button> <StatusBadge status={job.status} /> <span class="muted"><Time at={job.created_at} /></span>
          </li>
        ))}
        {data && !data.items.length && <li class="muted">No job has that in its name.</li>}
      </ul>
    </>
  );
}
