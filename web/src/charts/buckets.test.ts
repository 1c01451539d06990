import { describe, expect, it } from "vitest";
import { appendPoints, cutAfter, emptyBuckets, pointCount, type Buckets } from "./buckets";

const random = (seed: number) => () => {
  seed = (seed * 1664525 + 1013904223) % 2 ** 32;
  return seed / 2 ** 32;
};

/** What the server makes of all points: runs of `width` of them, counted from the start of the series. */
function bucketsOf(points: readonly [number, number][], width: number): Buckets {
  const result = { ...emptyBuckets(), width };
  for (let start = 0; start < points.length; start += width) {
    const run = points.slice(start, start + width);
    const numbers = run.map(([, value]) => value).filter((value) => !Number.isNaN(value));
    const [step, last] = run.at(-1)!;
    result.x.push(step);
    result.step.push(step);
    result.last.push(last);
    result.min.push(numbers.length ? Math.min(...numbers) : NaN);
    result.max.push(numbers.length ? Math.max(...numbers) : NaN);
    result.count.push(run.length);
    result.nan.push(run.length - numbers.length);
  }
  return result;
}

function series(count: number, next: () => number): [number, number][] {
  let step = 0;
  return Array.from({ length: count }, () => [(step += 1 + Math.floor(3 * next())), next() < 0.05 ? NaN : next()]);
}

const add = (buckets: Buckets, points: readonly [number, number][], most = 1e9) =>
  appendPoints(buckets, points.map(([step]) => step), points.map(([, value]) => value), (step) => step, most);

describe.each(Array.from({ length: 20 }, (_, seed) => seed))("with the series %i", (seed) => {
  const next = random(seed + 1);
  const points = series(1 + Math.floor(400 * next()), next);

  it("is the same whatever came by events and whatever by the answer", () => {
    const split = Math.floor(next() * (points.length + 1));
    const overlap = Math.floor(next() * (split + 1));
    const width = 2 ** Math.floor(4 * next());
    const live = bucketsOf(points.slice(0, split), width);
    add(live, points.slice(overlap, split)); // events of points that the answer had already
    for (let at = split; at < points.length; at += 7) add(live, points.slice(Math.max(0, at - 3), at + 7));
    expect(live).toEqual(bucketsOf(points, width));
  });

  it("keeps the places of buckets while they grow", () => {
    const live = emptyBuckets();
    for (const point of points) {
      add(live, [point], 32);
      expect(live.step.length).toBeLessThanOrEqual(32);
    }
    expect(live).toEqual(bucketsOf(points, live.width));
    expect(pointCount(live)).toBe(points.length);
  });

  it("is the same after events that an answer has overtaken, with a rewinding between them", () => {
    const kept = Math.floor(next() * points.length);
    const anew = points.slice(kept).map(([step], index): [number, number] => [step, index + 100]);
    const told = anew.slice(0, Math.floor(next() * (anew.length + 1)));
    const live = bucketsOf([...points.slice(0, kept), ...told], 1); // the answer: after the rewinding
    add(live, points.slice(Math.floor(next() * kept))); // the events before it come only now
    expect(cutAfter(live, points[kept - 1]?.[0] ?? 0)).toBe(true);
    add(live, anew);
    expect(live).toEqual(bucketsOf([...points.slice(0, kept), ...anew], 1));
  });
});

it("starts in the middle of a bucket where the series was cut at its left", () => {
  const live: Buckets = { ...emptyBuckets(), width: 4, first: 6, x: [8], step: [8], min: [1], max: [2], last: [2], count: [2], nan: [1] };
  add(live, [[9, 5], [10, 0]]);
  expect(live.count).toEqual([2, 2]);
  add(live, [[11, 5], [12, 0], [13, 7]], 2);
  expect(live).toMatchObject({ width: 8, count: [2, 5], nan: [1, 0], min: [1, 0], max: [2, 7], step: [8, 13] });
});

it("says when a cut goes through a bucket", () => {
  const live = bucketsOf([[1, 1], [2, 2], [3, 3]], 2);
  expect(cutAfter(live, 1)).toBe(false);
  expect(live.step).toEqual([]);
});
