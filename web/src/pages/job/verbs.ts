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
