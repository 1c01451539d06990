import { appendPoints, cutAfter, emptyBuckets, pointCount, type Buckets } from "../charts/buckets";
import { nextAverages, resumeAverage, startAverage, type Average } from "../charts/smoothing";
import type { Series } from "../api/schema";
import type { JobEvent } from "../api/stream";
import { toNumber } from "../ui/format";

/** A series as it is on the page. `smooth` is its average, of which every point counts. */
export interface LiveSeries {
  raw: Buckets;
  smooth: Buckets | null;
}

export const MOST_BUCKETS = 3000; // of a series that grows; then two become one

/** What the API tells of a series. The selection ends with the series' last point, or its place is not known. */
export function bucketsFrom(series: Series): Buckets {
  const counted = series.count.reduce((sum, count) => sum + count, 0);
  const { step, width, count, nan } = series;
  const columns = { x: series.x.map(toNumber), min: series.min.map(toNumber), max: series.max.map(toNumber), last: series.last.map(toNumber) };
  return { width, first: series.points - counted, step, count, nan, ...columns };
}

/**
 * Bring series up to date with events, in their order. The x axis is that of steps, and the series are whole.
 * Returns whether that was exact; if not, the series must be read again. `names` limits what is kept; null: everything.
 */
export function applyEvents(series: Map<string, LiveSeries>, events: readonly JobEvent[], names: ReadonlySet<string> | null, smooth: number): boolean {
  let exact = true;
  for (const { kind, data } of events) {
    if (kind === "rewound") exact = rewind(series, Number(data["step"])) && exact;
    else if (kind === "metrics") exact = addPoints(series, data, names, smooth) && exact;
  }
  return exact;
}

function rewind(series: Map<string, LiveSeries>, step: number): boolean {
  let exact = true;
  for (const { raw, smooth } of series.values()) {
    exact = cutAfter(raw, step) && exact;
    if (smooth) exact = cutAfter(smooth, step) && exact;
  }
  return exact;
}

interface Points {
  step: number[];
  value: (number | string)[];
}

function addPoints(series: Map<string, LiveSeries>, data: Record<string, unknown>, names: ReadonlySet<string> | null, smooth: number): boolean {
  const points = data["points"] as Record<string, Points> | undefined;
  if (!points) return Object.keys((data["series"] as object | undefined) ?? {}).every((name) => names !== null && !names.has(name));
  for (const [name, { step, value }] of Object.entries(points)) {
    if (names !== null && !names.has(name)) continue;
    const known = series.get(name) ?? { raw: emptyBuckets(), smooth: smooth ? emptyBuckets() : null };
    series.set(name, known);
    const values = value.map(toNumber);
    appendPoints(known.raw, step, values, sameStep, MOST_BUCKETS);
    if (known.smooth) addAverages(known.smooth, step, values, smooth);
  }
  return true;
}

function addAverages(buckets: Buckets, steps: readonly number[], values: readonly number[], weight: number): void {
  const lastStep = buckets.step.at(-1) ?? -Infinity;
  const fresh = steps.findIndex((step) => step > lastStep);
  if (fresh < 0) return;
  const averages = nextAverages(averageAfter(buckets, weight), values.slice(fresh));
  appendPoints(buckets, steps.slice(fresh), averages, sameStep, MOST_BUCKETS);
}

/** Points that were no number count here as if they were one, which matters among the first of a series alone. */
function averageAfter(buckets: Buckets, weight: number): Average {
  const last = buckets.last.at(-1);
  return last === undefined ? startAverage(weight) : resumeAverage(weight, last, buckets.first + pointCount(buckets));
}

const sameStep = (step: number): number => step;
