import { useState } from "preact/hooks";
import { get } from "../api/client";
import { useResource } from "../api/resource";
import type { JobPage } from "../api/schema";
import { Problems } from "../ui/Message";
import { StatusBadge } from "../ui/StatusBadge";
import { Time } from "../ui/Time";

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
