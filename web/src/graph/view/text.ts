const UNITS = ["", "k", "M", "G", "T"] as const;

/** A count in few characters: 950, 2.3k, 25.6M. */
export function formatCount(count: number): string {
  let unit = 0;
  while (count >= 1000 && unit < UNITS.length - 1) {
    count /= 1000;
    unit++;
  }
  return unit && count < 100 ? `${Number(count.toFixed(1))}${UNITS[unit]}` : `${Math.round(count)}${UNITS[unit]}`;
}
