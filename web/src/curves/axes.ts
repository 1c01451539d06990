import type { Job } from "../api/schema";
import { progressOf } from "./progress";
import type { XAxis } from "./view";

/** How much of an axis a step is; 1 where the server counts in that axis. */
export function factorOf(x: XAxis, job: Job): number {
  if (x === "epoch") return 1 / (progressOf(job.progress).perEpoch ?? 1);
  return x === "examples" ? (batchSizeOf(job) ?? 1) : 1;
}

/** Examples of a step, where the plan says so. After an edit of the size it is that of the first revision. */
function batchSizeOf(job: Job): number | null {
  const training = job.spec["training"] as Record<string, unknown> | undefined;
  const size = training?.["batch_size"];
  if (training === undefined) return null;
  return typeof size === "number" ? size : size === undefined ? DEFAULT_BATCH_SIZE : null;
}
const DEFAULT_BATCH_SIZE = 64; // of the language: docs/spec.md, training

/** The x axes that a job has. */
export function axesOf(job: Job): XAxis[] {
  const missing: XAxis[] = [];
  if (progressOf(job.progress).perEpoch === null) missing.push("epoch");
  if (batchSizeOf(job) === null) missing.push("examples");
  return (["step", "epoch", "examples", "elapsed", "time"] as const).filter((axis) => !missing.includes(axis));
}
