import { get } from "../../../api/client";
import { ApiError } from "../../../api/problem";
import { useResource } from "../../../api/resource";
import type { Job } from "../../../api/schema";
import type { Overlay } from "../../../graph/NetworkDrawing";
import { formatPercent, type JsonNumber } from "../../../ui/format";
import { flowBadges } from "./flow";
import { quantityOf, stepsOf, valuesAt, type Statistics } from "./statistics";

export interface Inside {
  every: number | undefined; // milliseconds between two requests, while the job runs
  statistics: Statistics | undefined; // of the quantity that is shown
  steps: number[];
  step: number; // that is shown: the chosen one, else the newest
  overlay: Overlay | undefined;
  badges: ReadonlyMap<string, string> | undefined;
  error: unknown;
  missing: boolean; // the job keeps no statistics, or has none yet
}

const EVERY = 3000;
const NONE: ReadonlyMap<string, number> = new Map();

/** What happens inside a job's network: one quantity of all nodes as an overlay, and what its control flow does. */
export function useInside(job: Job, quantity: string | null, chosen: number | null): Inside {
  const every = job.status === "running" ? EVERY : undefined;
  const { data, error } = useResource(
    async (signal) => (quantity ? await get<Statistics>(`/v1/jobs/${job.id}/statistics`, { quantities: quantity, max_points: 200 }, signal) : undefined),
    [job.id, quantity, job.status],
    quantity ? every : undefined,
  );
  const flow = useResource(
    (signal) => get<{ series: Record<string, { last: JsonNumber[] }> }>(`/v1/jobs/${job.id}/metrics`, { max_points: 1 }, signal),
    [job.id, job.status],
    every,
  );
  const badges = flow.data && flowBadges(flow.data.series);
  const steps = data && quantity ? stepsOf(data, quantity) : [];
  const step = chosen ?? steps.at(-1) ?? 0;
  const values = data && quantity ? valuesAt(data, quantity, step) : undefined;
  const known = quantity ? quantityOf(quantity) : undefined;
  const overlay = known
    ? { title: known.label, values: values ?? NONE, logarithmic: known.logarithmic, ...(known.share ? { format: formatPercent } : {}) }
    : undefined;
  const absent = error instanceof ApiError && error.status === 404;
  return { every, statistics: data, steps, step, overlay, badges: badges?.size ? badges : undefined, error: absent ? undefined : error, missing: absent || (data !== undefined && steps.length === 0) };
}
