import { expect, test } from "vitest";
import type { CatalogKind } from "../../api/schema";
import { parametersOf, searchKinds, typeOf } from "./parameters";

const kind = (name: string, sentence = "", group = "module"): CatalogKind =>
  ({ kind: name, group, sentence, example: { kind: name }, schema: { $ref: `#/schemas/${name}` } }) as unknown as CatalogKind;

test("types are told in words", () => {
  expect(typeOf({ type: "integer", minimum: 1, maximum: 2147483647 })).toBe("integer ≥ 1");
  expect(typeOf({ anyOf: [{ type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 }, { type: "null" }] })).toBe("number > 0, < 1, or null");
  expect(typeOf({ type: "array", prefixItems: [{ type: "integer" }, { type: "integer" }] })).toBe("list of 2 × integer");
  expect(typeOf({ enum: ["zeros", "same"] })).toBe('"zeros" | "same"');
  expect(typeOf({})).toBe("anything");
});

test("parameters are those of the kind alone", () => {
  const properties = { kind: { const: "Conv2d" }, id: {}, inputs: {}, bias: { type: "boolean", default: true }, out: { type: "integer" } };
  expect(parametersOf(kind("Conv2d"), { Conv2d: { properties, required: ["kind", "out"] } })).toEqual([
    { name: "bias", type: "boolean", initial: "true", required: false, description: "" },
    { name: "out", type: "integer", initial: "", required: true, description: "" },
  ]);
  expect(parametersOf({ ...kind("accuracy"), schema: { const: "accuracy" } } as CatalogKind, {})).toEqual([]);
});

test("a search looks at every word, and puts names first", () => {
  const kinds = [kind("Attention", "for a conv net"), kind("Conv2d", "over images"), kind("LazyConv", "images"), kind("Adam", "", "optimizer")];
  expect(searchKinds(kinds, "conv", "").map((each) => each.kind)).toEqual(["Conv2d", "LazyConv", "Attention"]);
  expect(searchKinds(kinds, "conv images", "").map((each) => each.kind)).toEqual(["Conv2d", "LazyConv"]);
  expect(searchKinds(kinds, "", "optimizer").map((each) => each.kind)).toEqual(["Adam"]);
});
