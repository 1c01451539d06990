import { describe, expect, it } from "vitest";
import { backward, forward, hasPlace, LINEAR, rangeWithRoom, scaleFor, ticks } from "./scales";

const LOG = scaleFor("log", 1);
const SYMLOG = scaleFor("symlog", 50);

it.each([LINEAR, LOG, SYMLOG])("goes forth and back: %o", (scale) => {
  for (const value of [1e-4, 0.5, 3, 4000]) expect(backward(forward(value, scale), scale)).toBeCloseTo(value, 8);
});

it("has a place for what can be shown", () => {
  expect([NaN, Infinity, -1, 0].map((value) => hasPlace(value, LOG))).toEqual([false, false, false, false]);
  expect([-1, 0, 2].map((value) => hasPlace(value, SYMLOG))).toEqual([true, true, true]);
});

describe("the ends of an axis", () => {
  it("leave room", () => expect(rangeWithRoom(-10, 10, LINEAR)).toEqual([-11, 11]));
  it("do not go below zero where no value does", () => expect(rangeWithRoom(0.01, 10, LINEAR)[0]).toBe(0));
  it("are apart for one value", () => expect(rangeWithRoom(5, 5, LINEAR)).toEqual([4.5, 5.5]));
  it("stay positive on a logarithmic axis", () => expect(rangeWithRoom(1e-6, 10, LOG)[0]).toBeGreaterThan(0));
  it("exist without values", () => expect(rangeWithRoom(Infinity, -Infinity, LINEAR)).toEqual([0, 1]));
});

describe("ticks", () => {
  it("are round", () => expect(ticks(0, 1, 5, LINEAR)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]));
  it("are decades", () => expect(ticks(1e-5, 10, 8, LOG)).toEqual([1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10]));
  it("are finer in few decades", () => expect(ticks(1, 12, 8, LOG)).toEqual([1, 2, 5, 10]));
  it("are on both sides of zero", () => expect(ticks(-1, 1, 9, scaleFor("symlog", 1))).toEqual([-1, -0.1, -0.01, -0.001, 0, 0.001, 0.01, 0.1, 1]));
  it("are minutes where time is shown", () => expect(ticks(0, 300, 6, LINEAR, "duration")).toEqual([0, 60, 120, 180, 240, 300]));
  it("are none where there is no extent", () => expect(ticks(1, 1, 5, LINEAR)).toEqual([]));
  it.each([[0, 1e6], [0.001, 0.0013], [-5, 1e-3], [1e9, 1e9 + 3]])("lie within %d and %d", (low, high) => {
    for (const most of [2, 5, 12]) {
      const found = ticks(low, high, most, LINEAR);
      expect(found.length).toBeLessThanOrEqual(most + 2);
      for (const tick of found) expect(tick >= low && tick <= high + 1e-9).toBe(true);
    }
  });
});
