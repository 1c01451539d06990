import { expect, it } from "vitest";
import { formatBytes, formatDuration, formatNumber, toNumber } from "./format";

it.each([
  [0, "0"], [1234567, "1,234,567"], [0.00012345, "1.234e-4"], [1e-7, "1e-7"], [0.25, "0.25"], [NaN, "NaN"], [-Infinity, "−∞"],
])("formats the number %d as %s", (value, text) => expect(formatNumber(value)).toBe(text));

it.each([
  [3, "3.0 s"], [65, "1 min 5 s"], [3600, "1 h"], [90_061, "1 d 1 h"], [3605, "1 h"],
])("formats %d seconds as %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

it("reads the numbers that JSON has no words for", () => {
  expect(toNumber("Infinity")).toBe(Infinity);
  expect(toNumber("NaN")).toBeNaN();
  expect(toNumber(null)).toBeNaN();
});

it("formats bytes", () => expect(formatBytes(1536)).toBe("1.5 KiB"));
