import { expect, it } from "vitest";
import type { Column, DataSchema } from "../../api/schema";
import { chartOf, defaultRole, roleText, sourceText, tensorText } from "./columns";
import { readingOptions } from "./reading";

const column = (more: Partial<Column>): Column => ({ name: "a", type: "number", shape: [], dtype: "float32", missing: 0, decided_by: "content", ragged: false, padded: false, shortest: 1, ...more });

it("knows roles", () => {
  const schema = { target: "t", inputs: ["a", "i"] } as unknown as DataSchema;
  expect(defaultRole(column({ name: "t" }), schema)).toBe("target");
  expect(defaultRole(column({}), schema)).toBe("input");
  expect(defaultRole(column({ name: "i", ignored: "it numbers the rows" }), schema)).toBe("ignored");
  expect(tensorText(column({ ignored: "it numbers the rows" }), "ignored")).toBe("not read: it numbers the rows");
});

it("describes statistics of numbers, words and lengths", () => {
  const numbers = chartOf(column({ unit: "kg", statistics: { min: 1, mean: 2, max: 3, std: 0.5, histogram: [1, 0, 2] } }));
  expect(numbers.texts).toEqual(["1 to 3 kg, mean 2 ± 0.5"]);
  expect(numbers.histogram).toEqual({ counts: [1, 0, 2], label: "Histogram, 1 to 3 kg" });
  const words = chartOf(column({ statistics: { counts: { "<b>": 3 }, different: 1 } }));
  expect(words.words).toEqual({ counts: { "<b>": 3 }, different: 1 });
  expect(chartOf(column({ statistics: { characters: { min: 1, mean: 2, max: 3, std: 1, histogram: null } } })).histogram).toBeUndefined();
  expect(chartOf(column({ statistics: { min: "2026-01-01T00:00:00", max: "2026-01-02T00:00:00", histogram: [1] } })).texts).toEqual(["2026-01-01 to 2026-01-02"]);
  expect(chartOf(column({ statistics: null }))).toEqual({ texts: [] });
});

it("describes what a job makes of a column", () => {
  expect(roleText({ column: "a", type: "number", role: "input", kind: "table", feature: "x", settings: { scale: "standard", missing: null }, decided_by: "user" })).toBe("table “x”, scale standard");
});

it("names kinds", () => {
  expect(sourceText({ kind: "upload", format: "csv" })).toBe("csv");
  expect(sourceText({ kind: "builtin", name: "iris" })).toBe("builtin iris");
});

it("sends only what was said about reading", () => {
  const nothing = { format: "", target: "", encoding: "", types: "", formats: "", missing: false };
  expect(readingOptions(nothing)).toEqual({});
  expect(readingOptions({ ...nothing, target: " y ", types: '{"zip": "category"}', missing: true })).toEqual({ target: "y", types: { zip: "category" }, on_bad: "missing" });
  expect(() => readingOptions({ ...nothing, formats: "[1" })).toThrow('"formats"');
});
