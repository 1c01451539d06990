import { expect, it } from "vitest";
import specSchemas from "virtual:job-spec";
import type { Catalog } from "../api/schema";
import { suggest } from "./completion";
import { describe } from "./hover";
import { Language, type JsonSchema } from "./schemas";
import { parseText } from "./text";

const kind = (name: string, group: string, fields: Record<string, JsonSchema>, required: string[] = []) => ({
  entry: { kind: name, group, sentence: `What ${name} does.`, shapes: "N → N", least_inputs: 1, most_inputs: 1, outputs: [], example: { kind: name }, schema: { $ref: `#/schemas/${name}` } },
  schema: { type: "object", properties: { kind: { const: name, type: "string" }, id: { type: "string" }, inputs: specSchemas["Body"]!.properties!["inputs"]!, ...fields }, required: ["kind", ...required] },
});
const KINDS = [
  kind("Linear", "module", { out_features: { type: "integer", minimum: 1 }, bias: { type: "boolean", default: true } }, ["out_features"]),
  kind("ReLU", "module", {}),
  kind("Repeat", "control", { times: { type: "integer" }, body: { oneOf: [{ $ref: "#/schemas/Body" }, { type: "string", pattern: "^[A-Za-z_][A-Za-z0-9_]{0,63}$" }] } }, ["times", "body"]),
  kind("MSELoss", "loss", { reduction: { enum: ["mean", "sum"], default: "mean", type: "string" } }),
  kind("sac", "algorithm", { gamma: { type: "number", default: 0.99 }, tau: { type: "number", default: 0.005 } }),
  kind("dqn", "algorithm", { double: { type: "boolean", default: true } }),
  kind("Adam", "optimizer", { lr: { type: "number", minimum: 0, default: 0.001 } }),
];
const catalog = { kinds: KINDS.map((each) => each.entry), schemas: Object.fromEntries(KINDS.map((each) => [each.entry.kind, each.schema])) } as unknown as Catalog;
const language = new Language(specSchemas, catalog);

/** Suggestions where the text has a bar; the text that one of them makes has a bar where the cursor is then. */
function at(marked: string, names: string[] = []) {
  const offset = marked.indexOf("|");
  const text = marked.replace("|", "");
  const found = suggest(text, offset, language, names);
  const labels = (found?.items ?? []).map((item) => item.label);
  const write = (label: string) => {
    const item = found!.items.find((each) => each.label === label)!;
    return text.slice(0, found!.from) + item.insert.slice(0, item.cursor) + "|" + item.insert.slice(item.cursor) + text.slice(found!.to);
  };
  return { labels, write, items: found?.items ?? [] };
}

it("completes the fields of the whole document, the required ones as such, without those that are there", () => {
  const { labels, items, write } = at('{"model": {}, |}');
  expect(labels).toEqual(expect.arrayContaining(["data", "objective", "training"]));
  expect(labels).not.toContain("model");
  expect(items.find((item) => item.label === "data")!.boost).toBeGreaterThan(items.find((item) => item.label === "training")!.boost);
  expect(write("training")).toBe('{"model": {}, "training": {|}}');
});

it("completes a name that is being written, and keeps what is behind it", () => {
  expect(at('{"tra|": {}}').write("training")).toBe('{"training"|: {}}');
  expect(at('{tra|}').write("training")).toBe('{"training": {|}}');
  expect(at('{"a|" "data": 1}').write("metadata")).toBe('{"metadata": {|}, "data": 1}');
});

it("completes kinds: by name where nothing else is needed, else with what they need", () => {
  const { labels, write, items } = at('{"model": {"layers": [|]}}');
  expect(labels).toEqual(expect.arrayContaining(["Linear", "ReLU", "Repeat"]));
  expect(labels).not.toContain("Adam");
  expect(write("ReLU")).toBe('{"model": {"layers": ["ReLU"|]}}');
  expect(write("Linear")).toBe('{"model": {"layers": [{"kind": "Linear", "out_features": |}]}}');
  expect(items.find((item) => item.label === "Linear")!.info[0]).toBe("What Linear does.");
});

it("completes a kind inside its object, whatever stands there", () => {
  expect(at('{"model": {"layers": [{"kind": "Lin|"}]}}').write("Linear")).toBe('{"model": {"layers": [{"kind": "Linear"|}]}}');
  expect(at('{"training": {"optimizer": {"kind": |}}}').labels).toEqual(["Adam"]);
  expect(at('{"data": {"kind": "|"}}').labels).toEqual(["builtin", "torchvision", "dataset", "environment"]);
});

it("completes the fields of the kind that the object has, in bodies too", () => {
  expect(at('{"model": {"layers": [{"kind": "Linear", |}]}}').labels).toEqual(["id", "inputs", "out_features", "bias"]);
  const inner = at('{"model": {"nodes": [{"kind": "Repeat", "body": {"layers": [{"kind": "Linear", |}]}}]}}');
  expect(inner.labels).toContain("out_features");
  expect(at('{"objective": {"loss": {"kind": "MSELoss", |}}}').labels).toEqual(["id", "inputs", "reduction"]);
});

it("completes values: names, booleans, defaults", () => {
  expect(at('{"objective": {"loss": {"kind": "MSELoss", "reduction": |}}}').labels).toEqual(["mean", "sum"]);
  expect(at('{"training": {"deterministic": |}}').labels).toEqual(["true", "false"]);
  expect(at('{"training": {"device": "c|"}}').labels).toContain("cuda");
  expect(at('{"objective": {"metrics": [|]}}').labels).toContain("accuracy");
  expect(at('{"data": {"kind": "builtin", "name": "|"}}').labels).toContain("iris");
});

it("completes the nodes, inputs and columns that a node can read", () => {
  const spec = '{"model": {"inputs": ["image"], "nodes": [{"id": "stem", "kind": "Linear"}, {"id": "x", "inputs": ["|"], "kind": "ReLU"}], "blocks": {"B": {}}}}';
  expect(at(spec, ["label"]).labels).toEqual(["image", "stem", "x", "label"]);
});

it("suggests nothing where nothing is known", () => {
  expect(at('{"nothing": {"like": {|}}}').labels).toEqual([]);
  expect(at('{"name": "a|"}').labels).not.toContain("stem");
});

it("describes fields and kinds", () => {
  const text = '{"model": {"layers": [{"kind": "Linear", "out_features": 3}, "ReLU"]}, "nonsense": 1}';
  const words = (word: string) => describe(text, text.indexOf(word) + 1, language);
  expect(words('"Linear"')).toMatchObject({ title: "Linear", lines: ["What Linear does.", "N → N; 1 input"] });
  expect(words('"out_features"')).toMatchObject({ title: "out_features", lines: ["int ≥ 1", "Required."] });
  expect(words('"ReLU"')?.title).toBe("ReLU");
  expect(words('"nonsense"')).toBeNull();
});

it("has a schema for every place of a spec with shorthands", () => {
  const root = parseText('{"data": {"kind": "builtin", "validation": 0.2}}').root;
  expect(language.at(root, ["data", "validation"]).length).toBeGreaterThan(1);
});

it("completes jobs in an environment: its name, and the settings of an algorithm", () => {
  expect(at('{"data": {"kind": "|"}}').labels).toEqual(expect.arrayContaining(["builtin", "dataset", "environment"]));
  expect(at('{"data": {"kind": "environment", "name": |}}').labels).toEqual(expect.arrayContaining(["CartPole-v1", "Pendulum-v1"]));
  expect(at('{"data": {"kind": "environment", |}}').labels).toEqual(expect.arrayContaining(["copies", "dynamics", "exploration", "wrappers"]));
  expect(at('{"objective": {"kind": "|"}}').labels).toEqual(expect.arrayContaining(["sac", "dqn"]));
  const { labels } = at('{"objective": {"kind": "sac", |}}');
  expect(labels).toEqual(expect.arrayContaining(["gamma", "tau"]));
  expect(labels).not.toContain("heads");
  expect(at('{"model": {"|"}}').labels).toEqual(expect.arrayContaining(["layers", "actor", "critic"]));
});
