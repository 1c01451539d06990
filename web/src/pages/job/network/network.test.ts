import { describe, expect, it } from "vitest";
import { flowBadges } from "./flow";
import { atPointer, frozenState, settingsOf } from "./spec";
import { heatMap, quantityOf, stepsOf, valuesAt, type Statistics } from "./statistics";

const buckets = (step: number[], last: (number | "NaN")[]) => ({ step, min: last, max: last, last });
const statistics: Statistics = {
  samples: 3,
  last_step: 30,
  nodes: { a: { grad_norm: buckets([10, 20, 30], [1, 2, "NaN"]) }, b: { grad_norm: buckets([20], [5]), weight_norm: buckets([15], [1]) } },
};

describe("statistics", () => {
  it.each([[5, {}], [10, { a: 1 }], [25, { a: 2, b: 5 }], [99, { a: NaN, b: 5 }]])("at step %i are those of the last sample before", (step, values) => {
    expect(Object.fromEntries(valuesAt(statistics, "grad_norm", step))).toEqual(values);
  });

  it("have the steps of all nodes", () => {
    expect(stepsOf(statistics, "grad_norm")).toEqual([10, 20, 30]);
    expect(stepsOf(statistics, "tree_height")).toEqual([]);
  });

  it("name the parts of a quantity", () => {
    expect(quantityOf("branch_shares/then")).toMatchObject({ label: "Branch share: then", share: true });
    expect(quantityOf("something")).toMatchObject({ label: "something" });
  });
});

describe("a heat map", () => {
  it("brings bins together and loses no count", () => {
    const histograms = { steps: [1, 2], edges: [0, 1, 2, 3, 4, 5], counts: [[1, 1, 0, 4, 2], [0, 0, 0, 0, 0]] };
    const { edges, rows } = heatMap(histograms, 3);
    expect(edges).toEqual([0, 2, 4, 5]);
    expect(rows).toEqual([[0.5, 1, 0.5], [0, 0, 0]]);
  });
});

describe("what control flow does", () => {
  it("is told by node: turns, heights and shares of branches", () => {
    const last = (value: number | "NaN") => ({ last: [value] });
    const series = { "flow/part/loop/turns": last(3.25), "flow/experts/0": last(0.25), "flow/experts/10": last(0), "flow/experts/2": last(0.75), "val/flow/loop/turns": last(2), "train/loss": last(1), "flow/tree/height": last("NaN") };
    expect(Object.fromEntries(flowBadges(series))).toEqual({ "part.loop": "3.25 turns", experts: "0: 25 %  2: 75 %  10: 0 %" });
  });
});

describe("the spec", () => {
  const spec = { model: { nodes: [{ id: "a", kind: "Linear", inputs: ["x"], out_features: 3, "a/b": 1 }, { id: "e", kind: "block", name: "Part", share: "s", inputs: ["a"] }] }, training: { groups: [{ nodes: ["a"], frozen: true }, { nodes: "b.weight", frozen: true }] } };

  it("has the settings of a node at its pointer", () => {
    expect(settingsOf(spec, "/model/nodes/0")).toEqual([["out_features", 3], ["a/b", 1]]);
    expect(settingsOf(spec, "/model/nodes/1")).toEqual([["name", "Part"], ["share", "s"]]);
    expect(settingsOf(spec, "/model/nodes/7")).toEqual([]);
    expect(atPointer(spec, "/model/nodes/0/a~1b")).toBe(1);
  });

  it.each([["a", "all"], ["a.inner", "all"], ["b", "some"], ["c", null]])("says of %s how much of it is frozen", (path, state) => {
    expect(frozenState(spec, path, ["weight", "bias"])).toBe(state);
  });
});
