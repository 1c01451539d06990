import { expect, it } from "vitest";
import { niceTicks, rangeOf } from "./ticks";

it.each([
  [0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [-3, 12, [0, 5, 10]],
  [95, 105, [96, 98, 100, 102, 104]],
  [2, 2, []],
])("puts ticks between %d and %d", (from, to, ticks) => expect(niceTicks(from, to, 5)).toEqual(ticks));

it("gives one value a range, and none the unit", () => {
  expect(rangeOf([])).toEqual({ from: 0, to: 1 });
  expect(rangeOf([5, 5])).toEqual({ from: 4.5, to: 5.5 });
  expect(rangeOf([0, NaN, 100])).toEqual({ from: -4, to: 104 });
});
