import { expect, it } from "vitest";
import type { Series } from "../api/schema";
import type { JobEvent } from "../api/stream";
import { applyEvents, bucketsFrom, type LiveSeries } from "./live";

const series = (last: (number | "NaN")[], width = 1): Series => ({
  x: last.map((_, i) => (i + 1) * width), step: last.map((_, i) => (i + 1) * width), last, min: last, max: last, count: last.map(() => width), nan: last.map(() => 0), width, points: last.length * width,
});
const points = (id: number, from: number, values: (number | string)[], name = "train/loss"): JobEvent => ({
  id, kind: "metrics", data: { series: { [name]: [0, 1] }, points: { [name]: { step: values.map((_, i) => from + i), value: values } } },
});
const rewound = (step: number): JobEvent => ({ id: 9, kind: "rewound", data: { step } });
const loaded = (last: (number | "NaN")[], width = 1) => new Map<string, LiveSeries>([["train/loss", { raw: bucketsFrom(series(last, width)), smooth: null }]]);

it("adds points once, whether by answer or by event", () => {
  const curves = loaded([5, 4]);
  expect(applyEvents(curves, [points(1, 1, [5, 4, 3]), points(2, 4, [2])], null, 0)).toBe(true);
  expect(curves.get("train/loss")!.raw.last).toEqual([5, 4, 3, 2]);
});

it("forgets what a resumed training writes anew", () => {
  const curves = loaded([5, 4, 3]);
  expect(applyEvents(curves, [rewound(1), points(10, 2, [7, "NaN", "Infinity"])], null, 0)).toBe(true);
  expect(curves.get("train/loss")!.raw.last).toEqual([5, 7, NaN, Infinity]);
});

it("asks for the series anew when a bucket is cut", () => expect(applyEvents(loaded([5, 4, 3], 4), [rewound(6)], null, 0)).toBe(false));
it("asks for the series anew when an event tells no points", () =>
  expect(applyEvents(loaded([1]), [{ id: 1, kind: "metrics", data: { series: { "train/loss": [1, 2] } } }], null, 0)).toBe(false));
it("begins a series that comes only now, unless it is not shown", () => {
  const curves = loaded([1]);
  applyEvents(curves, [points(1, 1, [3], "val/loss"), points(2, 1, [3], "flow/a")], new Set(["train/loss", "val/loss"]), 0);
  expect([...curves.keys()]).toEqual(["train/loss", "val/loss"]);
});

it("goes on with the average that the server told", () => {
  const smooth = bucketsFrom(series([1, 1.5])); // of 1 and 2 with the weight 0.5: (0.25*1 + 0.5*2) / 0.75 = 1.667
  smooth.last[1] = 5 / 3;
  const curves = new Map<string, LiveSeries>([["train/loss", { raw: bucketsFrom(series([1, 2])), smooth }]]);
  applyEvents(curves, [points(1, 2, [2, 4])], null, 0.5);
  expect(curves.get("train/loss")!.smooth!.last.at(-1)).toBeCloseTo((0.125 * 1 + 0.25 * 2 + 0.5 * 4) / 0.875, 12);
});
