import { expect, it } from "vitest";
import type { Line } from "../../../charts/lines";
import { at, pinTable, summaryOf, valueAt } from "./tables";

const line = (last: number[], width = 1): Line => {
  const step = last.map((_, i) => 10 * (i + 1));
  return { id: "a", label: "a", color: "", dashed: false, smooth: null, width, better: null, columns: { x: step, step, last, min: last.map((v) => v - (width > 1 ? 1 : 0)), max: last } };
};

it("sums up what is finite", () => {
  expect(summaryOf(line([3, NaN, 1, 2]), "val/loss", [1, 1, 1, 1])).toMatchObject({ last: 2, lastStep: 40, min: 1, minStep: 30, max: 3, maxStep: 10, best: "min", points: 4 });
  expect(summaryOf(line([3, 1]), "train/actor/loss", [1, 1], true)).toMatchObject({ last: 1, best: null });
  expect(summaryOf(line([3, 1]), "val/return", [1, 1], true)).toMatchObject({ best: "max" });
  expect(summaryOf(line([]), "val/loss", [])).toBeNull();
  expect(at(summaryOf(line([NaN]), "x", [1])!.min, NaN)).toBe("–");
});

it("tells the value at a step", () => {
  expect(valueAt(line([3, 4]), 15)).toEqual({ text: "3", step: 10 });
  expect(valueAt(line([3, 4]), 5)).toBeNull();
  expect(valueAt(line([3, 4]), 99)).toEqual({ text: "4", step: 20 });
  expect(valueAt(line([3, 4], 8), 15)).toEqual({ text: "4 (3 … 4)", step: 20 });
  expect(pinTable([line([3, 4])], [10, 20]).rows).toEqual([["a", "3", "4"]]);
});
