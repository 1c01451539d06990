import type { Checkpoint } from "../../../api/schema";
import { toNumber } from "../../../ui/format";

export interface ComparedValue {
  name: string;
  first: number;
  second: number;
  difference: number; // second less first
}

/** The values of two checkpoints side by side, in the order of the first; NaN where one has none. */
export function compareValues(first: Checkpoint, second: Checkpoint): ComparedValue[] {
  const names = [...new Set([...Object.keys(first.values), ...Object.keys(second.values)])];
  return names.map((name) => {
    const [one, other] = [toNumber(first.values[name]), toNumber(second.values[name])];
    return { name, first: one, second: other, difference: other - one };
  });
}

/** The series that a table of checkpoints shows: the monitored one first, then others of the validation, then the rest. */
export function shownSeries(checkpoints: readonly Checkpoint[], monitor: string | null, limit: number): string[] {
  const names = [...new Set(checkpoints.flatMap((each) => Object.keys(each.values)))];
  const rank = (name: string) => (name === monitor ? 0 : name.startsWith("val/") ? 1 : 2);
  return names.map((name, index) => ({ name, index })).sort((a, b) => rank(a.name) - rank(b.name) || a.index - b.index).slice(0, limit).map(({ name }) => name);
}
