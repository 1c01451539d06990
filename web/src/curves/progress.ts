import type { Status } from "../api/schema";

/** How far a job is, as its newest points tell. */
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

export const hasEnded = (status: Status): boolean => status === "succeeded" || status === "failed" || status === "cancelled";
