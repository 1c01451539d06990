import { expect, it } from "vitest";
import type { Line } from "../charts/lines";
import { meanLine } from "./spread";

const line = (x: number[], last: number[]): Line => ({ id: "", label: "", color: "", dashed: false, smooth: null, width: 1, better: null, columns: { x, step: x, last, min: last, max: last } });

it("is the mean and one deviation at each side", () => {
  const { columns } = meanLine([line([0, 1], [1, 5]), line([0, 1], [3, 5]), line([0, 1], [2, 5])], "m", "m", "");
  expect(columns.last).toEqual([2, 5]);
  expect([columns.min, columns.max]).toEqual([[1, 5], [3, 5]]);
});
it("is straight between points, and leaves out what has ended or is no number", () => {
  const { columns } = meanLine([line([0, 2], [0, 4]), line([0, 1, 2, 3], [0, NaN, 8, 9])], "m", "m", "");
  expect(columns.last).toEqual([0, 2, 6, 9]);
});
