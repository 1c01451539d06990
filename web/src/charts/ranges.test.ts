import { expect, it } from "vitest";
import { moveRange, withSurroundings } from "./ranges";
import { LINEAR, scaleFor } from "./scales";

it.each([
  [[2, 4], 0.5, 1, [3, 5]], // moved
  [[8, 10], 0.5, 1, [8, 10]], // at the end already
  [[2, 6], 0, 0.5, [3, 5]], // nearer
  [[0, 2], 0, 2, [0, 4]], // farther, within the extent
  [[2, 8], 0, 2, null], // all of it
] as const)("moves %j by %d, %d times as long", (range, shift, factor, expected) =>
  expect(moveRange(range, [0, 10], LINEAR, shift, factor)).toEqual(expected),
);

it("zooms by decades on a logarithmic axis", () => {
  const range = moveRange([1, 10_000], [1, 10_000], scaleFor("log", 1), 0, 0.5)!;
  expect(range.map(Math.round)).toEqual([10, 1000]);
});

it("has surroundings", () => expect(withSurroundings([4, 6], LINEAR)).toEqual([2, 8]));
