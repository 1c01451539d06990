import type { Job } from "../../../api/schema";
import { isRecord } from "../../../ui/data";
import { StatusBadge } from "../../../ui/StatusBadge";
import { Time } from "../../../ui/Time";
import { formatDuration } from "../../../ui/format";

/** The states that a job has been in, how long, and how it ended. */
export function Transitions({ job }: { job: Job }) {
  const steps = [{ at: job.created_at, to: job.transitions[0]?.from ?? job.status, worker: null as string | null | undefined }, ...job.transitions];
  return (
    <section>
      <h2>Transitions</h2>
      <ol class="events-transitions">
        {steps.map((step, index) => {
          const next = steps[index + 1];
          return (
            <li key={index}>
              <StatusBadge status={step.to} /> <Time at={step.at} />
              {next && <span class="muted"> for {formatDuration((Date.parse(next.at) - Date.parse(step.at)) / 1000)}</span>}
              {step.worker && <span class="muted"> on {step.worker}</span>}
            </li>
          );
        })}
      </ol>
      {job.error && (
        <div class="problems">
          <p><strong>{job.error.message}</strong></p>
          <p>{job.error.code}{job.error.pointer && <> at <code>{job.error.pointer}</code></>}{job.error.hint && `: ${job.error.hint}`}</p>
          {isRecord(job.error) && job.error["retryable"] === true && <p class="hint">It may be tried again.</p>}
        </div>
      )}
    </section>
  );
}
