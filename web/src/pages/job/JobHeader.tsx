import type { Job } from "../../api/schema";
import { CopyButton } from "../../ui/CopyButton";
import { formatDuration, formatNumber, formatTime } from "../../ui/format";
import { ProgressBar } from "../../ui/ProgressBar";
import { StatusBadge } from "../../ui/StatusBadge";
import { Time } from "../../ui/Time";
import { JobActions } from "./JobActions";
import { hasEnded, type Progress } from "../../curves/progress";
import { waitingText } from "./verbs";

interface Props {
  job: Job;
  progress: Progress; // newer than the job's own while points arrive
  connection: string;
  reload: () => void;
}

export function JobHeader({ job, progress, connection, reload }: Props) {
  return (
    <header class="job-header">
      <div class="row spread">
        <div class="row job-title">
          <h1>{job.name}</h1>
          <StatusBadge status={job.status} />
          {job.wish && <span class="tag">{job.wish} requested</span>}
          {job.status === "running" && job.phase && <span class="tag">{job.phase.replaceAll("_", " ")}</span>}
          {connection === "offline" && <span class="tag" role="status">Connection lost, trying again</span>}
        </div>
        <JobActions job={job} reload={reload} />
      </div>
      <ProgressLine job={job} progress={progress} />
      <Trouble job={job} />
      <Facts job={job} />
    </header>
  );
}

function ProgressLine({ job, progress }: { job: Job; progress: Progress }) {
  const { step, total, epoch, perEpoch, rate, eta } = progress;
  if (job.status === "queued" && !step) {
    return (
      <p class="muted">
        {waitingText(job)}{job.not_before && `, not before ${formatTime(job.not_before)}`}{job.starts_at && `, probably starts at ${formatTime(job.starts_at)}`}.
      </p>
    );
  }
  const running = job.status === "running";
  return (
    <div class="job-progress">
      <ProgressBar value={total ? step / total : null} label="Progress" />
      <p class="muted">
        Step {formatNumber(step)}{total ? ` of ${formatNumber(total)}` : ""}{perEpoch !== total && `, epoch ${epoch.toFixed(epoch < 10 ? 2 : 1)}`}
        {running && rate ? ` · ${formatNumber(rate, 3)} steps/s` : ""}
        {running && eta !== null ? ` · ${formatDuration(eta)} left` : ""}
        {job.status === "queued" || job.status === "paused" ? ` · ${job.status === "queued" ? waitingText(job) : "paused at a checkpoint"}` : ""}
      </p>
    </div>
  );
}

function Trouble({ job }: { job: Job }) {
  return (
    <>
      {job.error && (
        <div class="notice failed" role="alert">
          <p><strong>{job.error.message}</strong> <code>{job.error.code}</code></p>
          {job.error.pointer && <p>In the spec at <a href={`/jobs/${job.id}/spec?at=${encodeURIComponent(job.error.pointer)}`}><code>{job.error.pointer}</code></a></p>}
          {job.error.hint && <p class="hint">{job.error.hint}</p>}
        </div>
      )}
      {job.warnings.length > 0 && (
        <details class="notice warning" open={job.warnings.length <= 2}>
          <summary>{job.warnings.length === 1 ? "One warning" : `${job.warnings.length} warnings`}</summary>
          <ul>
            {job.warnings.map((warning) => (
              <li key={warning.pointer + warning.code}>
                {warning.pointer && <code>{warning.pointer}</code>} {warning.detail} {warning.hint && <span class="hint">{warning.hint}</span>}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Facts({ job }: { job: Job }) {
  const metadata = Object.entries(job.metadata);
  return (
    <div class="row job-facts muted">
      <span>Created <Time at={job.created_at} /></span>
      {job.started_at && job.finished_at && <span>ran for {formatDuration((Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000)}</span>}
      {job.started_at && !job.finished_at && <span>started <Time at={job.started_at} /></span>}
      {job.finished_at && hasEnded(job.status) && <span>ended <Time at={job.finished_at} /></span>}
      {job.worker && <span>on <code>{job.worker}</code></span>}
      {job.revision > 1 && <a href={`/jobs/${job.id}/surgery`}>revision {job.revision}</a>}
      {metadata.map(([key, value]) => <span key={key} class="tag">{key}: {value}</span>)}
      <span class="job-id"><code>{job.id}</code> <CopyButton text={job.id} label="Copy id" /></span>
    </div>
  );
}
