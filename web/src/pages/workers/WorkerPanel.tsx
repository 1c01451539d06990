import type { JobSummary, Worker } from "../../api/schema";
import { formatBytes, formatDuration, formatNumber } from "../../ui/format";
import { ProgressBar } from "../../ui/ProgressBar";
import { Time } from "../../ui/Time";
import { rateOf } from "./rates";

const STATES: Record<string, { symbol: string; kind: string; meaning: string }> = {
  listening: { symbol: "✓", kind: "succeeded", meaning: "takes jobs" },
  deaf: { symbol: "!", kind: "paused", meaning: "does not receive wake-ups: it finds jobs by looking, and will restart" },
  silent: { symbol: "✕", kind: "failed", meaning: "has sent no heartbeat for a while: its jobs go to others when their leases end" },
  stopped: { symbol: "⊘", kind: "cancelled", meaning: "has stopped in order" },
};

/** One worker: its state, its slots, and the jobs in them. */
export function WorkerPanel({ worker, jobs }: { worker: Worker; jobs: readonly JobSummary[] }) {
  const state = STATES[worker.state] ?? { symbol: "•", kind: "", meaning: "" };
  return (
    <section class="panel worker" aria-label={`Worker ${worker.name}`}>
      <div class="row spread">
        <h2 class="ellipsis" title={worker.name}>{worker.name}</h2>
        <span class={`status ${state.kind}`} title={state.meaning}><span aria-hidden="true">{state.symbol}</span> {worker.state}</span>
      </div>
      <Slots worker={worker} used={jobs.length} />
      <p class="muted">
        {worker.devices?.join(", ") ?? "devices unknown"} · serves {worker.queues.join(", ")} · version {worker.version ?? "unknown"}
      </p>
      <ul class="placed">
        {jobs.map((job) => <PlacedJob key={job.id} job={job} memory={worker.memory?.[job.id]} />)}
      </ul>
      <dl class="compact">
        {worker.started_at && <><dt>Started</dt><dd><Time at={worker.started_at} /></dd></>}
        <dt>Last heartbeat</dt><dd>{formatDuration(worker.seconds_since_seen)} ago</dd>
        {worker.attempts && <><dt>Attempts ended</dt><dd>{attemptsOf(worker.attempts)}</dd></>}
        {!!worker.checkpoints && <><dt>Checkpoints saved</dt><dd>{formatNumber(worker.checkpoints)}, {formatBytes(worker.checkpoint_bytes ?? 0)}</dd></>}
        {worker.disk_free !== null && <><dt>Disk free</dt><dd>{formatBytes(worker.disk_free)}</dd></>}
      </dl>
    </section>
  );
}

const attemptsOf = (attempts: Record<string, number>): string =>
  Object.entries(attempts).map(([ending, count]) => `${count} ${ending}`).join(", ") || "none yet";

function Slots({ worker, used }: { worker: Worker; used: number }) {
  const taken = worker.free === null ? used : worker.slots - worker.free;
  return (
    <p class="slots">
      <ProgressBar value={worker.slots ? taken / worker.slots : 0} label={`Slots in use of ${worker.name}`} />
      {taken} of {worker.slots} {worker.slots === 1 ? "slot" : "slots"} in use
    </p>
  );
}

function PlacedJob({ job, memory }: { job: JobSummary; memory: number | undefined }) {
  const { step, total_steps: total, eta_seconds: eta } = job.progress as { step?: number; total_steps?: number; eta_seconds?: number | null };
  const share = typeof step === "number" && total ? step / total : null;
  return (
    <li>
      <div class="row spread">
        <a class="ellipsis grow" href={`/jobs/${job.id}`}>{job.name}</a>
        <span class="muted">{job.phase}</span>
      </div>
      <ProgressBar value={share} label={`Progress of ${job.name}`} />
      <span class="muted">
        {formatNumber(rateOf(job), 3)} steps/s{typeof eta === "number" && `, ${formatDuration(eta)} left`}{!!memory && `, ${formatBytes(memory)} of memory`}
      </span>
    </li>
  );
}
