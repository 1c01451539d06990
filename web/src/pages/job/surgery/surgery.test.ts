import { describe, expect, it } from "vitest";
import type { Catalog } from "../../../api/schema";
import { aroundStep, describeOperation, describeTrigger, documentOf, problemsByOperation } from "./draft";
import { parseJson } from "./FieldControl";
import { OperationSchemas, settablePaths } from "./schemas";

const kind = (name: string, group: string) => ({ kind: name, group, sentence: "", schema: { $ref: `#/schemas/${name}` } });
const catalog = {
  kinds: [kind("Conv2d", "module"), kind("Adam", "optimizer")],
  schemas: {
    Conv2d: { properties: { kind: { const: "Conv2d" }, bias: { type: "boolean", default: true }, out_channels: { type: "integer", minimum: 1 }, kernel_size: { anyOf: [{ type: "integer" }, { type: "array" }] } }, required: ["kind", "out_channels", "kernel_size"] },
    Adam: { properties: { kind: { const: "Adam" }, lr: { type: "number", minimum: 0, default: 0.001 }, amsgrad: { type: "boolean" } }, required: ["kind"] },
  },
} as unknown as Catalog;
const schemas = new OperationSchemas(catalog);
const typesOf = (op: string) => Object.fromEntries(schemas.fieldsOf(op).map((field) => [field.name, field.type]));

describe("forms of operations", () => {
  it("are made of every operation that the API describes", () => {
    expect(schemas.operations.map((each) => each.op)).toEqual(expect.arrayContaining(["insert", "remove", "replace", "widen", "narrow", "deepen", "freeze", "unfreeze", "reinit", "rename", "grow_classes", "set", "swap_optimizer"]));
    for (const { op, description } of schemas.operations) {
      expect(description).not.toBe("");
      expect(schemas.fieldsOf(op).length).toBeGreaterThan(0);
    }
  });

  it.each([
    ["insert", { node: "kind", after: "node", between: "pair", init: "choice" }],
    ["widen", { node: "node", to: "integer", by: "number", noise: "number" }],
    ["freeze", { nodes: "nodes" }],
    ["rename", { node: "node", to: "text" }],
    ["swap_optimizer", { to: "kind" }],
  ])("ask for the fields of %s as what they are", (op, fields) => {
    expect(typesOf(op)).toMatchObject(fields);
  });

  it("ask for what is required first", () => {
    expect(schemas.fieldsOfKind("Conv2d", ["module"]).map((field) => [field.name, field.required])).toEqual([["out_channels", true], ["kernel_size", true], ["bias", false]]);
    expect(schemas.fieldsOfKind("Conv2d", ["optimizer"])).toEqual([]);
  });
});

describe("settings", () => {
  const spec = { training: { optimizer: { kind: "Adam", lr: 0.01 }, epochs: 3 } };

  it.each([["training.optimizer.lr", "number"], ["training.optimizer.amsgrad", "boolean"], ["training.epochs", "integer"], ["training.schedule", "kind"], ["training.nothing", undefined], ["training.optimizer.nothing", undefined]])("at %s have the type %s", (path, type) => {
    expect(schemas.fieldAt(path, spec)?.type).toBe(type);
  });

  it("that are offered are the node's, the optimizer's numbers, and the plan's", () => {
    const paths = settablePaths(schemas, spec, { path: "drop1", settings: [["p", 0.5]] });
    expect(paths.slice(0, 2)).toEqual(["model.drop1.p", "training.optimizer.lr"]);
    expect(paths).toContain("training.schedule");
  });
});

describe("a draft", () => {
  it("is sent with the revision that it was written for", () => {
    const operations = [{ op: "remove", node: "a" }];
    expect(documentOf({ operations, at: { step: 5 }, comment: " ", expected: 3 })).toEqual({ expect_revision: 3, at: { step: 5 }, operations });
    expect(documentOf({ operations, at: "now", comment: " why ", expected: 1 })).toMatchObject({ comment: "why" });
  });

  it("has its problems at their operations, and others at none", () => {
    const problems = ["/operations/1/to", "/operations/12", "/at", "/operations/0"].map((pointer) => ({ pointer }));
    const placed = problemsByOperation(problems, 2);
    expect([...placed].map(([place, all]) => [place, all.map((each) => each.pointer)])).toEqual([[1, ["/operations/1/to"]], [-1, ["/operations/12", "/at"]], [0, ["/operations/0"]]]);
  });

  it.each([
    [{ op: "insert", node: { kind: "Conv2d", id: "extra" }, after: "stem" }, "insert Conv2d “extra” after stem"],
    [{ op: "grow_classes", node: "fc", to: 12 }, "grow classes fc to 12"],
    [{ op: "freeze", nodes: ["a", "b"] }, "freeze a, b"],
  ])("describes %j", (operation, text) => {
    expect(describeOperation(operation)).toBe(text);
  });

  it.each([["now", "now"], [{ step: 5000 }, "at step 5,000"], [{ epoch: 0, step: null }, "at epoch 0"], [{ when: { metric: "val/loss", below: 0.1 } }, "when val/loss < 0.1"], [{ when: { metric: "val/loss", plateau: 5 } }, "when val/loss has not improved for 5 evaluations"]])("describes the trigger %j", (at, text) => {
    expect(describeTrigger(at)).toBe(text);
  });
});

describe("a value", () => {
  it.each([["3", 3], ["[1, 2]", [1, 2]], ["null", null], ["same", "same"], ["  ", undefined]])("written as %j is %j", (text, value) => {
    expect(parseJson(text)).toEqual(value);
  });
});

describe("an applied edit", () => {
  it.each([[2, "from=0&to=22&pin=2"], [1000, "from=750&to=1250&pin=1000"]])("at step %i is shown amid %s", (step, query) => {
    expect(aroundStep(step)).toBe(query);
  });
});
