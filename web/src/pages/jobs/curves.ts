import { useEffect, useState } from "preact/hooks";
import { get } from "../../api/client";
import { ApiError } from "../../api/problem";
import type { Curves, JobSummary } from "../../api/schema";
import { toNumber } from "../../ui/format";
import { createLane } from "./lane";
import { isActive, smallerIsBetter } from "./rows";

const POINTS = 80; // buckets of a small curve
const REFRESH_MS = 10_000; // of a job that still trains
const lane = createLane({ atOnce: 2, rest: 1 });

/** A small curve: its envelope and last values by step, and the best value of all points. */
export interface SmallCurve {
  step: number[];
  min: number[];
  max: number[];
  last: number[];
  best: number; // NaN if no point is a number
}

interface Known {
  version: number;
  at: number;
  curve: SmallCurve | null; // null: the job has no such curve
}

const known = new Map<string, Known>();

/** The small curve of a row in view: asked for once, and of jobs that train again every few seconds. */
export function useCurve(job: JobSummary, metric: string | null, inView: boolean): SmallCurve | null | undefined {
  const key = `${job.id} ${metric}`;
  const [, setTurn] = useState(0);
  const have = known.get(key);
  const stale = !have || (have.version !== job.version && (!isActive(job) || Date.now() - have.at > REFRESH_MS));
  const ask = metric !== null && inView && stale;
  useEffect(() => {
    if (!ask) return;
    const controller = new AbortController();
    lane.run(() => loadCurve(job.id, metric, controller.signal), controller.signal).then(
      (curve) => {
        known.set(key, { version: job.version, at: Date.now(), curve });
        setTurn((n) => n + 1);
      },
      () => undefined, // the next refresh of the list asks again
    );
    return () => controller.abort();
  }, [key, ask]);
  return metric === null ? null : have?.curve;
}

async function loadCurve(id: string, metric: string, signal: AbortSignal): Promise<SmallCurve | null> {
  try {
    const { series } = await get<Curves>(`/v1/jobs/${id}/metrics`, { names: metric, max_points: POINTS }, signal);
    const columns = series[metric];
    if (!columns || columns.step.length === 0) return null;
    const [min, max, last] = [columns.min.map(toNumber), columns.max.map(toNumber), columns.last.map(toNumber)];
    return { step: columns.step, min, max, last, best: bestOf(metric, min, max) };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** The best of all points: buckets keep their smallest and largest. NaN if none is a number. */
export function bestOf(metric: string, min: readonly number[], max: readonly number[]): number {
  const values = (smallerIsBetter(metric) ? min : max).filter((value) => !Number.isNaN(value));
  if (values.length === 0) return NaN;
  return values.reduce((a, b) => (smallerIsBetter(metric) ? Math.min(a, b) : Math.max(a, b)));
}

export interface Shape {
  line: string; // an SVG path of the last values
  band: string; // an SVG path of the envelope
  logarithmic: boolean;
}

/** Paths of a small curve in a box. Values over several orders of magnitude have a logarithmic scale; gaps stay gaps. */
export function shapeOf({ step, min, max, last }: SmallCurve, width: number, height: number): Shape {
  const finite = [...min, ...max].filter(Number.isFinite);
  const [low, high] = [finite.reduce((a, b) => Math.min(a, b), Infinity), finite.reduce((a, b) => Math.max(a, b), -Infinity)];
  const logarithmic = low > 0 && high / low > 50;
  const scale = (value: number) => (logarithmic ? Math.log(value) : value);
  const [bottom, span] = [scale(low), scale(high) - scale(low) || 1];
  const [first, range] = [step[0] ?? 0, (step.at(-1) ?? 0) - (step[0] ?? 0) || 1];
  const x = (at: number) => (((step[at]! - first) / range) * width).toFixed(1);
  const y = (value: number) => (height - ((scale(value) - bottom) / span) * height).toFixed(1);
  let line = "";
  let pen = false;
  last.forEach((value, at) => {
    if (Number.isFinite(value)) line += `${pen ? "L" : "M"}${x(at)} ${y(value)}`;
    pen = Number.isFinite(value);
  });
  const wide = min.flatMap((_, at) => (Number.isFinite(min[at]) && Number.isFinite(max[at]) ? [at] : []));
  const outline = [...wide.map((at) => `${x(at)} ${y(max[at]!)}`), ...wide.reverse().map((at) => `${x(at)} ${y(min[at]!)}`)];
  return { line, band: outline.length ? `M${outline.join("L")}Z` : "", logarithmic };
}
