/**
 * A curve as the API tells it: buckets of 2^k points, counted from the start of the series, so that a bucket keeps its
 * place while the curve grows. Points that arrive later are added by the rules by which the server stores them.
 */
export interface Buckets {
  width: number; // points per bucket; 1: every row is a point
  first: number; // index, in the whole series, of the first point here
  x: number[]; // of a bucket's last point, as step and last are
  step: number[];
  min: number[]; // of the numbers in the bucket; NaN where there is none
  max: number[];
  last: number[];
  count: number[];
  nan: number[]; // how many of the points are NaN
}

export const emptyBuckets = (): Buckets => ({ width: 1, first: 0, x: [], step: [], min: [], max: [], last: [], count: [], nan: [] });

/**
 * Add points in place; those that are not later than the last one are there already, as when an event and an answer
 * tell of the same points. With more than `most` buckets, two become one.
 */
export function appendPoints(buckets: Buckets, steps: readonly number[], values: readonly number[], toX: (step: number) => number, most: number): void {
  let index = buckets.first + pointCount(buckets);
  for (const [position, step] of steps.entries()) {
    if (step <= (buckets.step.at(-1) ?? -Infinity)) continue;
    appendPoint(buckets, index++, step, values[position]!, toX(step));
  }
  while (buckets.step.length > most) halve(buckets);
}

function appendPoint(buckets: Buckets, index: number, step: number, value: number, x: number): void {
  const { min, max, last, count, nan } = buckets;
  const row = count.length - 1;
  if (row < 0 || index % buckets.width === 0) {
    buckets.x.push(x);
    buckets.step.push(step);
    min.push(value);
    max.push(value);
    last.push(value);
    count.push(1);
    nan.push(Number(Number.isNaN(value)));
    return;
  }
  buckets.x[row] = x;
  buckets.step[row] = step;
  min[row] = least(min[row]!, value);
  max[row] = largest(max[row]!, value);
  last[row] = value;
  count[row]!++;
  nan[row]! += Number(Number.isNaN(value));
}

/** Merge neighbours, so that a bucket has twice as many points. */
function halve(buckets: Buckets): void {
  const { x, step, min, max, last, count, nan } = buckets;
  const offset = Math.floor(buckets.first / buckets.width);
  let end = -1;
  for (let row = 0; row < step.length; row++) {
    const joins = end >= 0 && (offset + row) % 2 === 1;
    if (!joins) end++;
    min[end] = joins ? least(min[end]!, min[row]!) : min[row]!;
    max[end] = joins ? largest(max[end]!, max[row]!) : max[row]!;
    count[end] = joins ? count[end]! + count[row]! : count[row]!;
    nan[end] = joins ? nan[end]! + nan[row]! : nan[row]!;
    x[end] = x[row]!;
    step[end] = step[row]!;
    last[end] = last[row]!;
  }
  for (const column of [x, step, min, max, last, count, nan]) column.length = end + 1;
  buckets.width *= 2;
}

/**
 * Take away the points after a step, in place, as a resumed training does before it writes them anew.
 * Returns whether that is exact: a bucket that has points on both sides is left out whole.
 */
export function cutAfter(buckets: Buckets, step: number): boolean {
  let end = buckets.step.length;
  while (end > 0 && buckets.step[end - 1]! > step) end--;
  const exact = end === buckets.step.length || buckets.width === 1;
  for (const column of [buckets.x, buckets.step, buckets.min, buckets.max, buckets.last, buckets.count, buckets.nan]) column.length = end;
  return exact;
}

export const pointCount = (buckets: Buckets): number => buckets.count.reduce((sum, count) => sum + count, 0);

// As numpy's fmin and fmax: NaN does not hide a number.
const least = (a: number, b: number) => (Number.isNaN(a) || b < a ? b : a);
const largest = (a: number, b: number) => (Number.isNaN(a) || b > a ? b : a);
