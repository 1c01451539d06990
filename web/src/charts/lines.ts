import { hasPlace, rangeWithRoom, type Scale } from "./scales";

/** Columns of a curve, x ascending. `min` and `max` tell of all points of a bucket, `last` of its last one. */
export interface Columns {
  x: readonly number[];
  step: readonly number[];
  min: readonly number[];
  max: readonly number[];
  last: readonly number[];
  nan?: readonly number[]; // how many points of a bucket are NaN
}

/** A curve with what tells it apart from the others of its chart. */
export interface Line {
  id: string;
  label: string;
  color: string; // a colour of the style sheet, "--series-1", or one for a canvas
  dashed: boolean;
  columns: Columns;
  smooth: Columns | null; // drawn before the columns, which are then pale
  width: number; // points per bucket
  better: "low" | "high" | null; // which of its values is the best one
}

export type MarkKind = "edit" | "resume" | "checkpoint" | "warning" | "stop" | "skip";

/** Something that happened at a place of the x axis. */
export interface Mark {
  x: number;
  kind: MarkKind;
  label: string;
}

export const MARKS: Record<MarkKind, { symbol: string; name: string; color: string; ruled: boolean }> = {
  edit: { symbol: "E", name: "Edit", color: "--series-4", ruled: true },
  resume: { symbol: "R", name: "Resumed", color: "--series-5", ruled: true },
  checkpoint: { symbol: "C", name: "Checkpoint", color: "--text-muted", ruled: false },
  warning: { symbol: "!", name: "Warning", color: "--warning", ruled: false },
  stop: { symbol: "S", name: "Stopped early", color: "--series-7", ruled: true },
  skip: { symbol: "×", name: "Step skipped", color: "--danger", ruled: false },
};

/** Where a path goes: a Path2D of a canvas, or the path of an SVG. */
export interface Sink {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
}

/** Places in a frame. */
export interface Frame {
  toX: (x: number) => number;
  toY: (y: number) => number; // of a value that has a place
  yScale: Scale;
  xScale: Scale;
}

/** The rows [start, stop) that a range shows, with one more at each side, to which lines lead. */
export function visibleRows(columns: Columns, low: number, high: number): [number, number] {
  const { x } = columns;
  return [Math.max(0, firstAtLeast(x, low) - 1), Math.min(x.length, firstAtLeast(x, high, true) + 1)];
}

/** The first row whose x is at least a value (or, strictly, larger). */
export function firstAtLeast(x: readonly number[], value: number, strictly = false): number {
  let [low, high] = [0, x.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (strictly ? x[middle]! <= value : x[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Trace a line through the last values. `spikes`: through the least and largest value of each bucket too, so that none
 * is left out. What has no place interrupts it; points that are alone go to `dot`.
 */
export function traceLine(columns: Columns, rows: [number, number], frame: Frame, sink: Sink, spikes: boolean, dot: (x: number, y: number) => void): void {
  const { x, min, max, last } = columns;
  let run = 0;
  let place: [number, number] = [0, 0];
  for (let row = rows[0]; row < rows[1]; row++) {
    if (!hasPlace(last[row]!, frame.yScale) || !hasPlace(x[row]!, frame.xScale)) {
      if (run === 1) dot(...place);
      run = 0;
      continue;
    }
    const left = frame.toX(x[row]!);
    const top = frame.toY(last[row]!);
    const high = max[row]!;
    const low = min[row]!;
    place = [left, top];
    const tall = spikes && low < high && hasPlace(high, frame.yScale) && hasPlace(low, frame.yScale);
    if (tall) {
      if (run === 0) sink.moveTo(left, frame.toY(low));
      else sink.lineTo(left, frame.toY(low));
      sink.lineTo(left, frame.toY(high));
      sink.lineTo(left, top);
    } else if (run === 0) sink.moveTo(left, top);
    else sink.lineTo(left, top);
    run += tall ? 2 : 1;
  }
  if (run === 1) dot(...place);
}

/** Trace the area between the least and the largest values; where all values are one point, it has no height. */
export function traceBand(columns: Columns, rows: [number, number], frame: Frame, sink: Sink, floor: number): void {
  const { x, min, max } = columns;
  let begin = rows[0];
  for (let row = rows[0]; row <= rows[1]; row++) {
    if (row < rows[1] && hasPlace(max[row]!, frame.yScale) && hasPlace(x[row]!, frame.xScale)) continue;
    for (let at = begin; at < row; at++) (at === begin ? sink.moveTo : sink.lineTo).call(sink, frame.toX(x[at]!), frame.toY(max[at]!));
    for (let at = row - 1; at >= begin; at--) sink.lineTo(frame.toX(x[at]!), hasPlace(min[at]!, frame.yScale) ? frame.toY(min[at]!) : floor);
    begin = row + 1;
  }
}

/** The range of values that lines show between two ends of the x axis, with room. */
export function visibleRange(lines: readonly Line[], low: number, high: number, scale: Scale, trimmed = false): [number, number] {
  const values: number[] = [];
  for (const line of lines) {
    const [start, stop] = visibleRows(line.columns, low, high);
    for (let row = start; row < stop; row++) {
      const x = line.columns.x[row]!;
      if (x < low || x > high) continue;
      for (const value of [line.columns.min[row]!, line.columns.max[row]!]) if (hasPlace(value, scale)) values.push(value);
    }
  }
  if (trimmed && values.length > 20) {
    values.sort((a, b) => a - b);
    const cut = Math.floor(values.length * 0.02);
    return rangeWithRoom(values[cut]!, values[values.length - 1 - cut]!, scale);
  }
  let [least, largest] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < least) least = value;
    if (value > largest) largest = value;
  }
  return rangeWithRoom(least, largest, scale);
}

/** What cannot be drawn at its value: said beside the chart, and marked on its edges. */
export interface Unplaced {
  x: number;
  what: "NaN" | "∞" | "−∞" | "≤ 0";
  count: number; // of NaN all points of the bucket, of others 1
}

export function unplaced(line: Line, scale: Scale): Unplaced[] {
  const { x, last, min, max, nan } = line.columns;
  const found: Unplaced[] = [];
  for (let row = 0; row < x.length; row++) {
    const missing = nan?.[row] ?? 0;
    const value = missing ? NaN : [last[row]!, max[row]!, min[row]!].find((each) => !hasPlace(each, scale));
    if (value === undefined) continue;
    const what = Number.isNaN(value) ? "NaN" : value === Infinity ? "∞" : value === -Infinity ? "−∞" : "≤ 0";
    found.push({ x: x[row]!, what, count: missing || 1 });
  }
  return found;
}

/** The row of the best value: the least or the largest number of all buckets; -1 where there is none. */
export function bestRow(line: Line): number {
  if (!line.better) return -1;
  const column = line.better === "low" ? line.columns.min : line.columns.max;
  let best = -1;
  for (let row = 0; row < column.length; row++) {
    const value = column[row]!;
    if (Number.isFinite(value) && (best < 0 || (line.better === "low" ? value < column[best]! : value > column[best]!))) best = row;
  }
  return best;
}

/** The row that tells of a place: the one of the bucket that holds it, or the last one before it; -1 before the first. */
export function rowAt(columns: Columns, x: number): number {
  const after = firstAtLeast(columns.x, x);
  if (after < columns.x.length && columns.x[after] === x) return after;
  if (after === 0) return columns.x.length ? 0 : -1;
  if (after === columns.x.length) return after - 1;
  return x - columns.x[after - 1]! <= columns.x[after]! - x ? after - 1 : after;
}

/** From the least to the largest x of all lines. */
export function extentOf(lines: readonly Line[], scale: Scale): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const { columns } of lines) {
    const first = scale.kind === "log" ? firstAtLeast(columns.x, 0, true) : 0;
    if (first >= columns.x.length) continue;
    low = Math.min(low, columns.x[first]!);
    high = Math.max(high, columns.x.at(-1)!);
  }
  return [low, high];
}
