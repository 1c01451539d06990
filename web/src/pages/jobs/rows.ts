import type { JobSummary } from "../../api/schema";

/** A row of the list: a job, and whether it no longer belongs to what is listed (it was deleted, or has another status). */
export interface Row {
  job: JobSummary;
  left: boolean;
}

/**
 * Join what is shown with what was loaded anew. A row keeps its place: jobs that left the list stay, marked, so that
 * nothing moves under the cursor; jobs that were not shown are below.
 */
export function mergeRows(shown: readonly Row[], loaded: readonly JobSummary[], complete: boolean): Row[] {
  const byId = new Map(loaded.map((job) => [job.id, job]));
  const kept = shown.flatMap(({ job }) => {
    const fresh = byId.get(job.id);
    byId.delete(job.id);
    if (fresh) return [{ job: fresh, left: false }];
    // Below the last loaded one, a row was only pushed out by others: the next page has it.
    const beyond = !complete && loaded.length > 0 && job.id < loaded.at(-1)!.id;
    return beyond ? [] : [{ job, left: true }];
  });
  return [...kept, ...[...byId.values()].map((job) => ({ job, left: false }))].sort((a, b) => (a.job.id < b.job.id ? 1 : -1));
}

/** The id just above another one: a list after it begins with that job itself. */
export function successorOf(id: string): string {
  const [prefix, digits] = id.split("_") as [string, string];
  const next = (BigInt(`0x${digits}`) + 1n).toString(16).padStart(digits.length, "0");
  return `${prefix}_${next}`;
}

export type Verb = "cancel" | "pause" | "resume" | "retry" | "delete";

const APPLIES: Record<Verb, readonly string[]> = {
  cancel: ["queued", "running", "paused"],
  pause: ["queued", "running"],
  resume: ["paused"],
  retry: ["failed", "cancelled"],
  delete: ["succeeded", "failed", "cancelled"],
};

export const applies = (verb: Verb, job: JobSummary): boolean => APPLIES[verb].includes(job.status) && job.wish !== verb;

export const isActive = (job: JobSummary): boolean => job.status === "queued" || job.status === "running";

export interface Progress {
  share: number | null; // from 0 to 1; null where the end is not known
  step: number;
  epoch: number | null; // null also where one epoch is the whole run
  etaSeconds: number | null;
  latest: Record<string, number | string | null>;
}

export function progressOf({ progress }: JobSummary): Progress {
  const number = (name: string) => (typeof progress[name] === "number" ? (progress[name] as number) : null);
  const [step, total] = [number("step") ?? 0, number("total_steps")];
  return {
    share: total ? Math.min(1, step / total) : null,
    step,
    epoch: number("steps_per_epoch") === total ? null : number("epoch"),
    etaSeconds: number("eta_seconds"),
    latest: (progress["latest"] ?? {}) as Progress["latest"],
  };
}

/** The curve that a row shows: the chosen one where the job has it, else the return of an agent, else the loss on held-out rows, else any. */
export function mainMetric(job: JobSummary, chosen: string): string | null {
  const names = Object.keys(progressOf(job).latest);
  return [chosen, "val/return", "episode/return", "val/loss", "train/loss"].find((name) => names.includes(name)) ?? names[0] ?? null;
}

const SMALLER_IS_BETTER = /(^|[/_])(loss|mae|mse|rmse|mape|smape|error|perplexity|hamming|grad_norm|lr|nll)($|_)/;

/** Whether smaller values of a metric are better, as its name says. */
export const smallerIsBetter = (metric: string): boolean => SMALLER_IS_BETTER.test(metric);
