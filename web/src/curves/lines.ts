import type { Buckets } from "../charts/buckets";
import type { Columns, Line } from "../charts/lines";
import { extentOf } from "../charts/lines";
import { LINEAR, scaleFor, type Scale, type ScaleKind } from "../charts/scales";
import type { LiveSeries } from "./live";
import { betterOf, splitOf } from "./names";

const SPLIT_COLORS: Record<string, string> = { train: "--series-1", episode: "--series-1", val: "--series-2", test: "--series-3", "": "--series-1" };

export const seriesColor = (index: number): string => `--series-${(index % 8) + 1}`;

/** A series of the page's own job: colours tell train, val and test apart. `factor` is that of the x axis. */
export function ownLine(name: string, series: LiveSeries, factor: number): Line {
  const split = splitOf(name);
  return {
    id: name,
    label: name,
    color: SPLIT_COLORS[split] ?? "--series-1",
    dashed: false,
    better: split === "val" || split === "test" ? betterOf(name) : null,
    ...columnsOf(series, factor),
  };
}

/** A series of one of several jobs: colours tell the jobs apart, and held-out rows are dashed. */
export function jobLine(jobId: string, label: string, color: string, name: string, series: LiveSeries, factor: number, dashed: boolean): Line {
  return { id: `${jobId}:${name}`, label: `${label} · ${name}`, color, dashed, better: null, ...columnsOf(series, factor) };
}

function columnsOf({ raw, smooth }: LiveSeries, factor: number): Pick<Line, "columns" | "smooth" | "width"> {
  return { columns: scaled(raw, factor), smooth: smooth && scaled(smooth, factor), width: raw.width };
}

function scaled(buckets: Buckets, factor: number): Columns {
  const { step, min, max, last, nan } = buckets;
  return { x: ascending(factor === 1 ? buckets.x.slice() : buckets.x.map((x) => x * factor)), step, min, max, last, nan };
}

/** A clock that was set back would bend a line: a point is not drawn before the one that it follows. */
function ascending(x: number[]): number[] {
  for (let row = 1; row < x.length; row++) if (x[row]! < x[row - 1]!) x[row] = x[row - 1]!;
  return x;
}

/** The largest absolute value of lines, by which a symlog axis chooses its linear part. */
export function yScaleOf(lines: readonly Line[], kind: ScaleKind): Scale {
  if (kind !== "symlog") return scaleFor(kind, 1);
  let largest = 0;
  for (const { columns } of lines)
    for (const column of [columns.min, columns.max])
      for (const value of column) if (Number.isFinite(value) && Math.abs(value) > largest) largest = Math.abs(value);
  return scaleFor(kind, largest);
}

/** All of x, so that a chart without any point has some too; one point has room around it. */
export function wholeExtent(lines: readonly Line[], log: boolean): [number, number] {
  const [low, high] = extentOf(lines, log ? scaleFor("log", 1) : LINEAR);
  if (!(low <= high)) return log ? [1, 10] : [0, 1];
  if (low === high) return log ? [low / 2, low * 2] : [low - Math.max(0.5, Math.abs(low) * 1e-9), high + Math.max(0.5, Math.abs(high) * 1e-9)];
  return [low, high];
}
