import { useMemo, useState } from "preact/hooks";
import { queryParameters, setQuery } from "../../../shell/router";
import { Loading, Problems } from "../../../ui/Message";
import { formatNumber } from "../../../ui/format";
import type { JobTabProps } from "../tabs";
import { AttemptLog } from "./AttemptLog";
import { DownloadLog } from "./DownloadLog";
import { byAttempt, GROUPS, groupOf, lineOf, matches, type Group } from "./log";
import { Transitions } from "./Transitions";
import { useEvents } from "./useEvents";
import "./events.css";

const SHOWN = 300; // lines at first
const EARLIER = 5000; // events that are read at once

export default function EventsTab({ job, feed }: JobTabProps) {
  const { events, earlier, loading, error, loadEarlier } = useEvents(job.id, job.last_event, feed);
  const query = queryParameters.value;
  const hidden = query.getAll("hide").length ? query.getAll("hide") : ["metrics"];
  const search = query.get("search") ?? "";
  const [limit, setLimit] = useState(SHOWN);
  const lines = useMemo(() => events.map(lineOf).reverse(), [events]);
  const found = lines.filter((line) => !hidden.includes(groupOf(line)) && (!search || matches(line, search)));
  return (
    <>
      <Transitions job={job} />
      <div class="row spread">
        <h2>Events</h2>
        <DownloadLog job={job} />
      </div>
      <Filters hidden={hidden} search={search} lines={lines.map(groupOf)} />
      {error !== undefined && <Problems error={error} />}
      <p class="hint" role="status">
        {found.length === lines.length ? `${formatNumber(lines.length)} events` : `${formatNumber(found.length)} of ${formatNumber(lines.length)} events`}, the newest first
        {feed.state.value === "live" && ", live"}{feed.state.value === "offline" && "; the service cannot be reached, and is tried again"}.
      </p>
      {loading && lines.length === 0 && <Loading what="events" />}
      {found.length === 0 && lines.length > 0 && <p class="muted">No event is like that.</p>}
      {byAttempt(found.slice(0, limit)).map((group) => <AttemptLog key={`${group.fence}-${group.lines[0]!.event.id}`} {...group} />)}
      <div class="row">
        {found.length > limit && <button type="button" onClick={() => setLimit(limit + 2000)}>Show more of {formatNumber(found.length)}</button>}
        {earlier > 0 && <button type="button" disabled={loading} onClick={() => loadEarlier(EARLIER)}>Read {formatNumber(Math.min(EARLIER, earlier))} of {formatNumber(earlier)} earlier events</button>}
      </div>
    </>
  );
}

function Filters({ hidden, search, lines }: { hidden: string[]; search: string; lines: Group[] }) {
  const toggle = (group: string) => {
    const next = hidden.includes(group) ? hidden.filter((each) => each !== group) : [...hidden, group];
    setQuery({ hide: next.length ? next : ["nothing"] });
  };
  return (
    <form class="row events-filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label><span class="visually-hidden">Search events</span><input type="search" placeholder="Search" value={search} onInput={(event) => setQuery({ search: event.currentTarget.value })} /></label>
      {Object.entries(GROUPS).map(([group, label]) => (
        <button key={group} type="button" aria-pressed={!hidden.includes(group)} onClick={() => toggle(group)}>
          {label} <span class="muted">{lines.filter((each) => each === group).length}</span>
        </button>
      ))}
    </form>
  );
}
