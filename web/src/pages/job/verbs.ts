import type { Job, Status } from "../../api/schema";

export interface JobVerb {
  verb: "pause" | "resume" | "cancel" | "retry";
  label: string;
  pending: string; // while it is under way
  from: readonly Status[];
  wish?: string; // what a running job has until it comes true
}

/** What a user can do with a job, by its status. */
export const VERBS: readonly JobVerb[] = [
  { verb: "pause", label: "Pause", pending: "Pausing…", from: ["queued", "running"], wish: "pause" },
  { verb: "resume", label: "Resume", pending: "Resuming…", from: ["paused"] },
  { verb: "retry", label: "Retry", pending: "Queueing…", from: ["failed", "cancelled"] },
  { verb: "cancel", label: "Cancel", pending: "Cancelling…", from: ["queued", "running", "paused"], wish: "cancel" },
];

export const verbsOf = (job: Pick<Job, "status">): JobVerb[] => VERBS.filter(({ from }) => from.includes(job.status));
export const hasEnded = (status: Status): boolean => status === "succeeded" || status === "failed" || status === "cancelled";

const HOLDS: Record<string, string> = {
  not_before: "it does not start before the time of its spec, or the pause after a lost attempt",
  running_limit: "its key runs as many jobs as it may",
  no_worker: "no living worker serves its queue",
  no_device: "no worker has the device that it asks for",
};

/** Why a waiting job waits. */
export function waitingText(job: Pick<Job, "position" | "held_by" | "queue">): string {
  if (job.held_by) return `Waits: ${HOLDS[job.held_by] ?? job.held_by}`;
  return job.position === null ? `Waits in the queue “${job.queue}”` : job.position === 1 ? `Next in the queue “${job.queue}”` : `Place ${job.position} in the queue “${job.queue}”`;
}

export interface Progress {
  step: number;
  epoch: number;
  total: number | null;
  perEpoch: number | null;
  rate: number | null;
  eta: number | null;
  latest: Record<string, unknown>;
}

const number = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);

export function progressOf(progress: Record<string, unknown>): Progress {
  return {
    step: number(progress["step"]) ?? 0,
    epoch: number(progress["epoch"]) ?? 0,
    total: number(progress["total_steps"]),
    perEpoch: number(progress["steps_per_epoch"]),
    rate: number(progress["rate"]),
    eta: number(progress["eta_seconds"]),
    latest: (progress["latest"] as Record<string, unknown> | undefined) ?? {},
  };
}
