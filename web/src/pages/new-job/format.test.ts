import { expect, it } from "vitest";
import { formatSpec } from "./format";

const spec = {
  name: "a \"b\"",
  model: { layers: [{ kind: "Linear", out_features: 3 }, "ReLU"] },
  training: { optimizer: { kind: "Adam", betas: [0.9, 0.999] }, steps: null },
  metadata: {},
};

it("writes on a line what fits on one", () => {
  expect(formatSpec(spec, 66)).toBe(`{
  "name": "a \\"b\\"",
  "model": {
    "layers": [{"kind": "Linear", "out_features": 3}, "ReLU"]
  },
  "training": {
    "optimizer": {"kind": "Adam", "betas": [0.9, 0.999]},
    "steps": null
  },
  "metadata": {}
}
`);
});

it.each([110, 40, 1])("writes the same value at a width of %d", (width) => expect(JSON.parse(formatSpec(spec, width))).toEqual(spec));

it("writes what is no object", () => expect(formatSpec(3)).toBe("3\n"));
