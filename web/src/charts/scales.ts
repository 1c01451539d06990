/** How values become places on an axis. */
export type ScaleKind = "linear" | "log" | "symlog";
export type AxisKind = "number" | "duration" | "clock";

export interface Scale {
  kind: ScaleKind;
  threshold: number; // symlog: linear between minus and plus this
}

export const LINEAR: Scale = { kind: "linear", threshold: 1 };

/** A scale for values up to this magnitude; symlog is linear in the lowest of four decades. */
export function scaleFor(kind: ScaleKind, magnitude: number): Scale {
  const decade = magnitude > 0 && Number.isFinite(magnitude) ? Math.floor(Math.log10(magnitude)) : 0;
  return { kind, threshold: kind === "symlog" ? 10 ** (decade - 3) : 1 };
}

/** Whether a value has a place: NaN and infinities never, on a logarithmic axis only what is positive. */
export const hasPlace = (value: number, { kind }: Scale): boolean => Number.isFinite(value) && (kind !== "log" || value > 0);

/** Make equal distances of a scale equal differences. */
export function forward(value: number, { kind, threshold }: Scale): number {
  if (kind === "log") return Math.log10(value);
  return kind === "symlog" ? Math.asinh(value / threshold) : value;
}

export function backward(place: number, { kind, threshold }: Scale): number {
  if (kind === "log") return 10 ** place;
  return kind === "symlog" ? threshold * Math.sinh(place) : place;
}

/** The ends of an axis that shows values from `low` to `high`, with some room; something even without any value. */
export function rangeWithRoom(low: number, high: number, scale: Scale, room = 0.05): [number, number] {
  if (!(low <= high)) return scale.kind === "log" ? [0.1, 1] : [0, 1];
  if (low === high) {
    if (scale.kind === "log") return [low / 2, high * 2];
    const half = low === 0 ? 1 : Math.abs(low) * 0.1;
    return [low - half, high + half];
  }
  const [from, to] = [forward(low, scale), forward(high, scale)];
  const extra = room * (to - from);
  const start = backward(from - extra, scale);
  return [low >= 0 && start < 0 ? 0 : start, backward(to + extra, scale)];
}

const DURATIONS = [0.001, 0.01, 0.1, 0.5, 1, 5, 15, 30, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400, 28 * 86_400];

/** Round values between two ends, at most about `most` of them. */
export function ticks(low: number, high: number, most: number, scale: Scale, axis: AxisKind = "number"): number[] {
  if (!(low < high) || !Number.isFinite(high - low)) return [];
  if (scale.kind === "log" && high / low >= 10) return logTicks(low, high, most);
  if (scale.kind === "symlog") return symlogTicks(low, high, most, scale);
  const step = axis === "number" ? niceStep((high - low) / most) : (DURATIONS.find((each) => (high - low) / each <= most) ?? niceStep((high - low) / most));
  const shift = axis === "clock" && step >= 3600 ? new Date(low * 1000).getTimezoneOffset() * 60 : 0;
  const count = Math.floor((high - shift) / step) - Math.ceil((low - shift) / step) + 1;
  const first = Math.ceil((low - shift) / step);
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step + shift).toPrecision(12)));
}

function niceStep(rough: number): number {
  const decade = 10 ** Math.floor(Math.log10(rough));
  return decade * ([1, 2, 5, 10].find((factor) => factor * decade >= rough * 0.999) ?? 10);
}

function logTicks(low: number, high: number, most: number): number[] {
  const [from, to] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const every = Math.max(1, Math.ceil((to - from + 1) / most));
  const factors = to - from < 2 ? [1, 2, 5] : [1];
  const result: number[] = [];
  for (let decade = from - 1; decade <= to; decade += every)
    for (const factor of factors) {
      const value = Number(`${factor}e${decade}`);
      if (value >= low * 0.999 && value <= high * 1.001) result.push(value);
    }
  return result;
}

function symlogTicks(low: number, high: number, most: number, scale: Scale): number[] {
  const largest = Math.max(Math.abs(low), Math.abs(high), scale.threshold);
  const decades = Math.ceil(Math.log10(largest / scale.threshold));
  const every = Math.max(1, Math.ceil((2 * decades) / most));
  const result = [0];
  for (let k = 0; k <= decades; k += every) result.push(scale.threshold * 10 ** k, -scale.threshold * 10 ** k);
  return result.filter((value) => value >= low && value <= high).sort((a, b) => a - b).map((value) => Number(value.toPrecision(6)));
}
