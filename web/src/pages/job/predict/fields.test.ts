import { expect, it } from "vitest";
import type { ColumnRole, DataSchema } from "../../../api/schema";
import { FieldError, inputFields, observationField, problemsByField, textOf, valueOf, type InputField } from "./fields";

const role = (column: string, type: string, more: Partial<ColumnRole> = {}) => ({ column, type, role: "input", ...more }) as ColumnRole;
const field = (kind: InputField["kind"], more: Partial<InputField> = {}): InputField => ({ name: "a", type: "text", kind, labels: [], format: null, hint: "", size: 0, ...more });

it("asks for every column that is read once", () => {
  const schema = {
    columns: [
      { name: "town", type: "category", labels: ["Ulm", "Bonn"] }, { name: "price", type: "number", format: "1.234,5", unit: "€" },
      { name: "pixels", type: "tensor", shape: [1, 8, 8] }, { name: "many", type: "category", labels: Array.from({ length: 101 }, String) },
    ],
  } as unknown as DataSchema;
  const fields = inputFields([role("town", "category"), role("town", "category"), role("y", "number", { role: "target" }), role("price", "number"), role("pixels", "tensor"), role("many", "category"), role("x", "series")], schema);
  expect(fields.map((each) => [each.name, each.kind])).toEqual([["town", "choice"], ["price", "number"], ["pixels", "picture"], ["many", "line"], ["x", "json"]]);
  expect(fields[1]!.hint).toBe("written as 1.234,5, in €");
});

it("asks for a target that the network reads, too", () => {
  const roles = [role("image", "image", { role: "target", feature: "image" }), role("y", "number", { role: "target", feature: "y" })];
  expect(inputFields(roles, null, { image: { shape: ["N", 1, 28, 28] } }).map((each) => [each.name, each.kind])).toEqual([["image", "picture"]]);
});

it("takes the shape of built-in tensors from the network's inputs", () => {
  const [field] = inputFields([role("image", "tensor", { kind: "tensor", feature: "image" })], null, { image: { shape: ["N", 1, 8, 8] } });
  expect([field!.kind, field!.hint]).toEqual(["picture", "a picture of this size, or JSON: nested lists of the shape [1, 8, 8], with the numbers that the data holds"]);
  expect(inputFields([role("wave", "series", { kind: "series", feature: "wave" })], null, { wave: { shape: ["N", "L"] } })[0]!.kind).toBe("json");
});

it("asks for the numbers of an observation", () => {
  const shapes = [["N", 3], ["N"], ["N", 4, 3], ["N", 400]].map((shape) => observationField({ observation: { shape }, reward: { shape: ["N", 1] } }));
  expect(shapes.map((each) => [each.kind, each.size])).toEqual([["vector", 3], ["number", 1], ["json", 0], ["json", 400]]);
  expect(textOf(shapes[0]!, [1, null, -0.5])).toEqual({ text: '["1","","-0.5"]', cut: false });
});

it.each<[InputField, string, unknown]>([
  [field("vector", { size: 3 }), '["1","","-0."]', [1, null, -0]],
  [field("vector", { size: 2 }), "", [null, null]],
  [field("vector", { size: 1 }), '["x"]', ["x"]],
  [field("number"), " 1.5 ", 1.5],
  [field("number"), "", null],
  [field("number"), "five", "five"],
  [field("number"), "TRUE", true],
  [field("number", { format: "1.234,5" }), "1.234,5", "1.234,5"],
  [field("choice"), "Ulm", "Ulm"],
  [field("text"), "", ""],
  [field("words"), " a  b ", ["a", "b"]],
  [field("words"), '["a b"]', ["a b"]],
  [field("words"), "", []],
  [field("json"), "[1, 2]", [1, 2]],
  [field("picture"), "iVBOR", "iVBOR"],
  [field("picture"), "[[[0]]]", [[[0]]]],
])("reads %j of %s", (one, text, value) => expect(valueOf(one, text)).toEqual(value));

it("names the field whose text is no JSON", () => {
  expect(() => valueOf(field("json"), "[1")).toThrow(FieldError);
});

it("fills fields from shown rows, and says where only the beginning is known", () => {
  expect(textOf(field("text"), "x".repeat(200))).toEqual({ text: "x".repeat(200), cut: true });
  expect(textOf(field("number"), 1.5)).toEqual({ text: "1.5", cut: false });
  expect(textOf(field("number"), null)).toEqual({ text: "", cut: false });
  expect(textOf(field("words"), ["a", "b"])).toEqual({ text: "a b", cut: false });
  expect(textOf(field("words"), ["a b"])).toEqual({ text: '["a b"]', cut: false });
  expect(textOf(field("picture"), { shape: [3, 9, 9], thumbnail: "data:" })).toBeNull();
  expect(textOf(field("picture"), [1, 2, 3])).toBeNull();
  expect(textOf(field("picture"), [[[1, 2], [3, 4]]])).toEqual({ text: "[[[1,2],[3,4]]]", cut: false });
  expect(textOf(field("json", { type: "tree" }), "(a b)")).toBeNull();
});

it("puts problems at their fields", () => {
  const errors = [{ pointer: "/rows/0/a~1b~0c", detail: "no" }, { pointer: "/rows/0/a~1b~0c/3", detail: "bad", hint: "less" }, { pointer: "/top", detail: "large" }];
  expect(problemsByField(errors, ["a/b~c"])).toEqual({ fields: { "a/b~c": "no; bad – less" }, others: ["/top: large"] });
});
