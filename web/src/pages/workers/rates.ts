import type { JobSummary } from "../../api/schema";

/** Steps per second of a running job; 0 where it has not told them. */
export function rateOf(job: JobSummary): number {
  const { rate } = job.progress as { rate?: number | null };
  return typeof rate === "number" && Number.isFinite(rate) ? rate : 0;
}
