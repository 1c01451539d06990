import { describe, expect, it } from "vitest";
import { networkOfSpec } from "./wiring";

const edges = (model: unknown) => networkOfSpec(model).nodes.map((node) => [node.id, ...node.inputs]);

describe("a network from its spec", () => {
  it("names the layers of a chain as the service does", () => {
    expect(edges({ layers: ["Flatten", { kind: "Linear", out_features: 3 }, { kind: "ReLU", id: "bent" }, { kind: "Linear", out_features: 2 }] })).toEqual([
      ["flatten1", "input"], ["linear1", "flatten1"], ["bent", "linear1"], ["linear2", "bent"],
    ]);
  });

  it("reads the fields of control flow before the inputs, and has the bodies of named blocks", () => {
    const model = {
      nodes: [{ id: "route", kind: "Route", selector: "s", cases: ["Part", { layers: ["ReLU"] }], inputs: "x" }],
      blocks: { Part: { layers: ["Tanh"] } },
    };
    const [route] = networkOfSpec(model).nodes;
    expect(route!.inputs).toEqual(["s", "x"]);
    expect(Object.entries(route!.bodies!).map(([name, body]) => [name, body.nodes[0]!.kind, body.nodes[0]!.pointer])).toEqual([
      ["0", "Tanh", "/model/blocks/Part/layers/0"], ["1", "ReLU", "/model/nodes/0/cases/1/layers/0"],
    ]);
    expect(Object.keys(networkOfSpec(model).inputs)).toEqual(["s", "x"]);
  });

  it("has a block that several cases use once", () => {
    const model = { nodes: [{ id: "route", kind: "Route", selector: "s", cases: ["A", "B", "A"], inputs: "x" }], blocks: { A: { layers: ["Tanh"] }, B: { layers: ["ReLU"] } } };
    expect(Object.values(networkOfSpec(model).nodes[0]!.bodies!).map((body) => body.names)).toEqual([["0", "2"], ["1"]]);
  });

  it("takes shapes from what was inspected", () => {
    const output = { shape: ["N", 4], dtype: "float32" };
    const known = { inputs: {}, outputs: {}, nodes: [{ id: "a", kind: "Linear", pointer: "/model/nodes/0", inputs: ["x"], output, parameters: 20 }] };
    const nodes = networkOfSpec({ nodes: [{ id: "a", kind: "Linear", inputs: ["x"] }, { id: "b", kind: "Linear", inputs: ["a"] }] }, known).nodes;
    expect(nodes.map((node) => [node.output, node.parameters])).toEqual([[output, 20], [undefined, undefined]]);
  });

  it.each([[null], ["text"], [{}], [{ nodes: [null, 3, { kind: 4 }] }], [{ layers: "Linear" }]])("makes of %j what it can", (model) => {
    expect(networkOfSpec(model).nodes.every((node) => typeof node.id === "string")).toBe(true);
  });

  it("ends where a block uses itself", () => {
    const model = { nodes: [{ id: "a", kind: "block", name: "B", inputs: ["x"] }], blocks: { B: { nodes: [{ id: "b", kind: "block", name: "B", inputs: ["x"] }] } } };
    expect(JSON.stringify(networkOfSpec(model)).length).toBeLessThan(20_000);
  });
});
