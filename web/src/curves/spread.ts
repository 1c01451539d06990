import { firstAtLeast, type Columns, type Line } from "../charts/lines";

/**
 * The mean of lines at the places of the one that has most, and one standard deviation (of a sample) at each side as its
 * least and largest value. Between points a line is straight; beyond its ends it does not count.
 */
export function meanLine(lines: readonly Line[], id: string, label: string, color: string): Line {
  const densest = lines.reduce((most, line) => (line.columns.x.length > most.columns.x.length ? line : most));
  const smooth = lines.every((line) => line.smooth) ? meanColumns(lines.map((line) => line.smooth!), densest.smooth!) : null;
  return { ...densest, id, label, color, better: null, columns: meanColumns(lines.map(({ columns }) => columns), densest.columns), smooth };
}

function meanColumns(all: readonly Columns[], grid: Columns): Columns {
  const last: number[] = [];
  const min: number[] = [];
  const max: number[] = [];
  for (const x of grid.x) {
    const values = all.map((columns) => valueOn(columns, x)).filter(Number.isFinite);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = values.length > 1 ? Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)) : 0;
    last.push(mean);
    min.push(mean - deviation);
    max.push(mean + deviation);
  }
  return { x: grid.x, step: grid.step, last, min, max };
}

function valueOn({ x, last }: Columns, place: number): number {
  const after = firstAtLeast(x, place);
  if (after === x.length) return NaN;
  if (x[after] === place) return last[after]!;
  if (after === 0) return NaN;
  const share = (place - x[after - 1]!) / (x[after]! - x[after - 1]!);
  return last[after - 1]! + share * (last[after]! - last[after - 1]!);
}
