/** Round numbers from `from` to `to`, about as many as asked for: steps of 1, 2 or 5 times a power of ten. */
export function niceTicks(from: number, to: number, about: number): number[] {
  const span = to - from;
  if (!(span > 0) || !Number.isFinite(span)) return [];
  const rough = span / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((each) => each * power >= rough * 0.8) ?? 10);
  const ticks: number[] = [];
  for (let index = Math.ceil(from / step - 1e-9); index * step <= to + step * 1e-9; index++) ticks.push(Number((index * step).toPrecision(12)));
  return ticks;
}

/** The range of some numbers, a little wider than they are; 0 to 1 of none. */
export function rangeOf(values: readonly number[]): { from: number; to: number } {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return { from: 0, to: 1 };
  const least = finite.reduce((a, b) => Math.min(a, b));
  const most = finite.reduce((a, b) => Math.max(a, b));
  const margin = (most - least) * 0.04 || Math.abs(most) * 0.1 || 1;
  return { from: least - margin, to: most + margin };
}
