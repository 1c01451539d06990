import type { JobSummary } from "../../api/schema";
import { formatDuration, formatNumber, toNumber } from "../../ui/format";
import { StatusBadge } from "../../ui/StatusBadge";
import { ProgressBar } from "../../ui/ProgressBar";
import { Time } from "../../ui/Time";
import { setQuery } from "../../shell/router";
import { useCurve } from "./curves";
import { formatLabel } from "./filters";
import { describePlace, useQueuePlace } from "./queue";
import { mainMetric, progressOf, type Row } from "./rows";
import { Sparkline } from "./Sparkline";
import { useInView } from "./useInView";

interface Props {
  row: Row;
  metric: string; // the chosen one
  selected: boolean;
  onSelect: (selected: boolean, range: boolean) => void;
}

export function JobRow({ row: { job, left }, metric, selected, onSelect }: Props) {
  const { element, inView } = useInView<HTMLTableRowElement>();
  const ended = job.finished_at !== null;
  return (
    <tr ref={element} role="row" class={left ? "left" : ""} aria-selected={selected}>
      <td role="cell" class="check">
        <input
          type="checkbox"
          aria-label={`Select ${job.name}`}
          data-job={job.id}
          checked={selected}
          onClick={(event) => onSelect(event.currentTarget.checked, event.shiftKey)}
        />
      </td>
      <td role="cell" class="name">
        {job.deleted_at ? <strong>{job.name}</strong> : <a href={`/jobs/${job.id}`}>{job.name}</a>}
        {left && <span class="tag">no longer listed</span>}
        <Labels job={job} />
        {job.error && <p class="error" title={job.error.message}>{job.error.message}</p>}
      </td>
      <td role="cell" class="state"><State job={job} inView={inView} /></td>
      <Curve job={job} metric={metric} inView={inView} />
      <td role="cell" class="times">
        <span class="muted">{ended && job.started_at ? `took ${formatDuration((Date.parse(job.finished_at!) - Date.parse(job.started_at)) / 1000)}` : ""}</span>
        <Time at={job.deleted_at ?? job.created_at} />
      </td>
    </tr>
  );
}

function Labels({ job }: { job: JobSummary }) {
  const labels = Object.entries(job.metadata);
  if (labels.length === 0) return null;
  return (
    <p class="labels">
      {labels.slice(0, 4).map((label) => (
        <button key={label[0]} type="button" class="tag" title={`Only jobs with ${formatLabel(label)}`} onClick={() => addLabel(formatLabel(label))}>
          {formatLabel(label)}
        </button>
      ))}
      {labels.length > 4 && <span class="muted" title={labels.map(formatLabel).join("\n")}>and {labels.length - 4} more</span>}
    </p>
  );
}

function addLabel(text: string): void {
  const present = new URLSearchParams(location.search).getAll("label");
  setQuery({ label: [...new Set([...present, text])], after: null }, { replace: false });
}

function State({ job, inView }: { job: JobSummary; inView: boolean }) {
  const place = useQueuePlace(job, inView);
  const { share, step, epoch, etaSeconds } = progressOf(job);
  const started = step > 0 || job.status === "running";
  return (
    <>
      <StatusBadge status={job.status} />
      {job.wish && <span class="muted"> {job.wish} requested</span>}
      {job.status === "queued" && <p class="muted">{place ? describePlace(place, job.not_before) : " "}</p>}
      {job.status === "running" && (
        <div class="progress">
          <ProgressBar value={share} label={`Progress of ${job.name}`} />
          <span>{share === null ? job.phase : `${Math.floor(100 * share)} %`}</span>
        </div>
      )}
      {started && job.status !== "queued" && (
        <p class="muted">
          step {step.toLocaleString("en")}{epoch !== null && `, epoch ${formatNumber(Math.floor(epoch * 10) / 10)}`}
          {job.status === "running" && etaSeconds !== null && `, ${formatDuration(etaSeconds)} left`}
        </p>
      )}
    </>
  );
}

function Curve({ job, metric, inView }: { job: JobSummary; metric: string; inView: boolean }) {
  const name = mainMetric(job, metric);
  const curve = useCurve(job, name, inView);
  return (
    <>
      <td role="cell" class="curve">
        {name && curve && <Sparkline curve={curve} metric={name} />}
        {name && <span class="muted">{name}</span>}
      </td>
      <td role="cell" class="number value">
        {name && formatNumber(toNumber(progressOf(job).latest[name]))}
        {curve && <p class="muted">best {formatNumber(curve.best)}</p>}
      </td>
    </>
  );
}
