import { expect, it } from "vitest";
import { locate, markOf, segmentsOf } from "./pointers";
import { parseText } from "./text";

const TEXT = `{
  "model": {"layers": [
    "Flaten",
    {"kind": "Linear", "units": 3}
  ]},
  "data": {"kind": "builtin", "name": "iris", "validation": 0.2, "features": {"a/b": "text"}},
  "objective": {"loss": "MSELoss", "metrics": "acc"},
  "training": {"optimizer": "Adam", "lr": -1, "epochs": 3}
}`;

const root = parseText(TEXT).root!;
const marked = (pointer: string, code = "invalid_value") => {
  const { from, to } = markOf(root, pointer, code, TEXT);
  return TEXT.slice(from, to);
};

it("reads pointers", () => {
  expect(segmentsOf("")).toEqual([]);
  expect(segmentsOf("/a~1b/~0/0")).toEqual(["a/b", "~", "0"]);
});

it.each([
  ["/data/name", '"iris"'],
  ["/model/layers/0", '"Flaten"'],
  ["/data/features/a~1b", '"text"'],
  ["/model/layers/0/kind", '"Flaten"'], // shorthands
  ["/data/validation/fraction", "0.2"],
  ["/objective/metrics/0", '"acc"'],
  ["/training/optimizer/lr", "-1"],
  ["/data/features/a~1b/kind", '"text"'],
  ["/model/layers/1/out_features", '"kind": "Linear"'], // a field that is missing
  ["/model/layers/1", '{"kind": "Linear", "units": 3}'],
  ["/training", '"training"'],
  ["/training/warmup/steps", '"training"'],
  ["/model/layers", '['],
  ["/model/layers/7", '['],
  ["", "{"],
])("marks %s", (pointer, text) => expect(marked(pointer)).toBe(text));

it("marks the name of a field that should not be there", () => {
  expect(marked("/model/layers/1/units", "unknown_field")).toBe('"units"');
});

it("knows whether the text has the very place", () => {
  expect(locate(root, "/data/name")).toMatchObject({ complete: true, rest: [] });
  expect(locate(root, "/data/validation/fraction").complete).toBe(true);
  expect(locate(root, "/data/validation/seed")).toMatchObject({ complete: false, rest: ["seed"] });
});

it("reads as much as it can of a text that is no JSON", () => {
  const { root: partial, errors } = parseText('{"a": [1, }');
  expect(locate(partial!, "/a/0").node.value).toBe(1);
  expect(errors.length).toBeGreaterThan(0);
  expect(errors[0]!.problem.detail).toContain("expected");
  expect(parseText("  ")).toEqual({ root: undefined, errors: [] });
});
