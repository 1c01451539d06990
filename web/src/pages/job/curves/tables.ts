import type { FileTable } from "../../../curves/files";
import { formatNumber } from "../../../ui/format";
import { bestRow, firstAtLeast, type Line } from "../../../charts/lines";
import { betterOf, measureOf } from "../../../curves/names";

export interface Summary {
  line: Line;
  last: number;
  lastStep: number;
  min: number;
  minStep: number;
  max: number;
  maxStep: number;
  best: "min" | "max" | null;
  points: number;
}

/**
 * What there is to say of a line in numbers; of what is not finite only the last value tells. `acts`: it is of an agent,
 * of whose losses, which follow its own experience, no value is the best.
 */
export function summaryOf(line: Line, name: string, counts: readonly number[], acts = false): Summary | null {
  const { columns } = line;
  if (!columns.x.length) return null;
  const low = bestRow({ ...line, better: "low" });
  const high = bestRow({ ...line, better: "high" });
  const better = acts && measureOf(name).endsWith("loss") ? null : betterOf(name);
  return {
    line,
    last: columns.last.at(-1)!,
    lastStep: columns.step.at(-1)!,
    min: low < 0 ? NaN : columns.min[low]!,
    minStep: low < 0 ? NaN : columns.step[low]!,
    max: high < 0 ? NaN : columns.max[high]!,
    maxStep: high < 0 ? NaN : columns.step[high]!,
    best: better === "low" ? "min" : better === "high" ? "max" : null,
    points: counts.reduce((sum, count) => sum + count, 0),
  };
}

/** A line at a step: the bucket that holds it, or nothing before its first and after its last point. */
export function valueAt(line: Line, step: number): { text: string; step: number } | null {
  const { columns, width } = line;
  if (!columns.step.length || step > columns.step.at(-1)!) {
    const last = columns.step.length - 1;
    return last < 0 ? null : { text: formatNumber(columns.last[last]!), step: columns.step[last]! };
  }
  const row = width > 1 ? firstAtLeast(columns.step, step) : firstAtLeast(columns.step, step, true) - 1;
  if (row < 0) return null;
  const spread = width > 1 && columns.min[row] !== columns.max[row] ? ` (${formatNumber(columns.min[row]!, 3)} … ${formatNumber(columns.max[row]!, 3)})` : "";
  return { text: formatNumber(columns.last[row]!) + spread, step: columns.step[row]! };
}

export const at = (value: number, step: number): string => (Number.isNaN(value) ? "–" : `${formatNumber(value)} @ ${formatNumber(step)}`);

export function summaryTable(summaries: readonly Summary[]): FileTable {
  return {
    caption: "Last, least and largest values, with their steps",
    columns: ["Series", "Last", "Min", "Max", "Points"],
    rows: summaries.map((each) => [each.line.label, at(each.last, each.lastStep), at(each.min, each.minStep), at(each.max, each.maxStep), formatNumber(each.points)]),
  };
}

export function pinTable(lines: readonly Line[], pins: readonly number[]): FileTable {
  return {
    caption: "Values at the pinned steps",
    columns: ["Series", ...pins.map((pin) => `Step ${formatNumber(pin)}`)],
    rows: lines.map((line) => [line.label, ...pins.map((pin) => valueAt(line, pin)?.text ?? "–")]),
  };
}
