import { expect, it } from "vitest";
import { bestOf, shapeOf } from "./curves";

it("finds the best of all points, not of the last ones", () => {
  expect(bestOf("val/loss", [3, 0.5, NaN], [9, 9, NaN])).toBe(0.5);
  expect(bestOf("val/accuracy", [0.1, 0.2], [0.9, 0.3])).toBe(0.9);
  expect(bestOf("val/loss", [NaN], [NaN])).toBeNaN();
});

it("draws a curve into its box", () => {
  const shape = shapeOf({ step: [0, 5, 10], min: [0, 0, 2], max: [0, 4, 2], last: [0, 1, 2], best: 0 }, 100, 20);
  expect(shape.line).toBe("M0.0 20.0L50.0 15.0L100.0 10.0");
  expect(shape.band).toBe("M0.0 20.0L50.0 0.0L100.0 10.0L100.0 10.0L50.0 20.0L0.0 20.0Z");
  expect(shape.logarithmic).toBe(false);
});

it("leaves a gap where a value is no number, and stands still for one point", () => {
  expect(shapeOf({ step: [0, 1, 2], min: [1, NaN, 2], max: [1, NaN, 2], last: [1, NaN, 2], best: 1 }, 10, 10).line).toBe("M0.0 10.0M10.0 0.0");
  expect(shapeOf({ step: [7], min: [3], max: [3], last: [3], best: 3 }, 10, 10).line).toBe("M0.0 10.0");
  expect(shapeOf({ step: [7], min: [NaN], max: [NaN], last: [NaN], best: NaN }, 10, 10)).toEqual({ line: "", band: "", logarithmic: false });
});

it("has a logarithmic scale for values over orders of magnitude", () => {
  const shape = shapeOf({ step: [0, 1, 2], min: [1, 10, 100], max: [1, 10, 100], last: [1, 10, 100], best: 1 }, 10, 10);
  expect(shape).toMatchObject({ logarithmic: true, line: "M0.0 10.0L5.0 5.0L10.0 0.0" });
});
