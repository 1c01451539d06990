import { expect, it } from "vitest";
import { linesOfJson } from "./json";

const SPEC = { name: "a/b", model: { layers: [{ kind: "Linear", out_features: 4 }, "ReLU"] }, "x/y~": [], training: { lr: 1e-7, on: true, none: null, deep: { a: { b: { c: 1 } } } } };

it("is the document again", () => expect(JSON.parse(linesOfJson(SPEC).map(({ text }) => text).join("\n"))).toEqual(SPEC));
it("writes short things on one line, with their places", () => {
  const lines = linesOfJson(SPEC);
  expect(lines.find(({ text }) => text.includes("Linear"))!.pointer).toMatch(/^\/model\/layers/);
  expect(lines.find(({ text }) => text.includes("x/y~"))!.pointer).toBe("/x~1y~0");
  expect(lines[0]).toMatchObject({ pointer: "", opens: true });
  expect(lines.at(-1)).toMatchObject({ pointer: "", opens: false });
});
it("keeps lines short where it can", () => {
  for (const { text } of linesOfJson({ a: Array.from({ length: 40 }, (_, i) => ({ kind: "Linear", number: i })) })) expect(text.length).toBeLessThanOrEqual(102);
});
it("writes what is no object", () => expect(linesOfJson(null).map(({ text }) => text)).toEqual(["null"]));
