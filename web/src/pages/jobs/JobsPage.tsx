import { useEffect, useState } from "preact/hooks";
import { queryParameters, setQuery } from "../../shell/router";
import { Loading, Message, Problems } from "../../ui/Message";
import { formatTime } from "../../ui/format";
import { FilterBar } from "./FilterBar";
import { isFiltered, readFilters, type Filters } from "./filters";
import { FirstVisit } from "./FirstVisit";
import { JobsTable } from "./JobsTable";
import { Pages } from "./Pages";
import { progressOf } from "./rows";
import { refreshSelection, type Selection } from "./selection";
import { SelectionBar } from "./SelectionBar";
import { describeFresh, useJobs, type JobList } from "./useJobs";
import "./jobs.css";

export default function JobsPage() {
  const parameters = queryParameters.value;
  const filters = readFilters(parameters);
  const [after, metric] = [parameters.get("after"), parameters.get("metric") ?? ""];
  const list = useJobs(filters, after);
  const [selection, setSelection] = useState<Selection>(new Map());
  useEffect(() => setSelection(new Map()), [filters.deleted]);
  const shown = refreshSelection(selection, (list.rows ?? []).map((row) => row.job));
  const metrics = [...new Set((list.rows ?? []).flatMap(({ job }) => Object.keys(progressOf(job).latest)))].sort();
  return (
    <div class="jobs-page">
      <div class="row spread">
        <h1>{filters.deleted ? "Deleted jobs" : "Jobs"}</h1>
        <a href={filters.deleted ? "/jobs" : "/jobs?deleted=true"}>{filters.deleted ? "All jobs" : "Trash"}</a>
      </div>
      <FilterBar filters={filters} metrics={metrics} metric={metric} />
      <State list={list} />
      {list.rows?.length === 0 ? (
        <Empty filters={filters} after={after} />
      ) : list.rows ? (
        <JobsTable rows={list.rows} metric={metric} selection={shown} onSelection={setSelection} />
      ) : (
        !list.error && <Loading what="the jobs" />
      )}
      {shown.size > 0 && (
        <SelectionBar selection={shown} trash={filters.deleted} onClear={() => setSelection(new Map())} onDone={() => (setSelection(new Map()), list.reload())} />
      )}
      {list.rows && <Pages after={after} last={list.rows.at(-1)?.job.id ?? null} hasMore={list.hasMore} />}
    </div>
  );
}

/** What is new, and what keeps the list from being up to date. */
function State({ list }: { list: JobList }) {
  return (
    <>
      {list.error !== undefined && <Problems error={list.error} retry={list.reload} />}
      {list.error !== undefined && list.rows && <p class="muted">This is how it was at {formatTime(new Date(list.at).toISOString())}.</p>}
      <div role="status">
        {list.fresh > 0 && <button type="button" class="jobs-fresh" onClick={list.showFresh}>{describeFresh(list.fresh)}: show</button>}
      </div>
    </>
  );
}

function Empty({ filters, after }: { filters: Filters; after: string | null }) {
  if (isFiltered(filters)) {
    return (
      <Message title="No job matches">
        <button type="button" onClick={() => setQuery({ status: null, search: null, name: null, label: null, after: null })}>Clear the filters</button>
      </Message>
    );
  }
  if (after) return <Message title="There are no older jobs"><a href="/jobs">The newest jobs</a></Message>;
  if (filters.deleted) return <Message title="The trash is empty">Deleted jobs wait here for a while before they are removed for good.</Message>;
  return <FirstVisit />;
}
