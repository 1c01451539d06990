import { expect, it } from "vitest";
import { colorsBy, differences, groupLabel, seedGroups } from "./differences";

const spec = (lr: number, seed: number, extra = {}) => ({ name: `lr ${lr}`, training: { optimizer: { lr }, seed, ...extra }, model: { layers: ["ReLU", { kind: "Linear" }] } });
const SPECS = [spec(0.1, 1), spec(0.1, 2), spec(0.5, 1, { clip_norm: 1 })];

it("finds the places that differ, and passes over the names", () =>
  expect(differences(SPECS)).toEqual([
    { path: "training.clip_norm", values: [undefined, undefined, "1"] },
    { path: "training.optimizer.lr", values: ["0.1", "0.1", "0.5"] },
    { path: "training.seed", values: ["1", "2", "1"] },
  ]));
it("finds no difference between equals", () => expect(differences([SPECS[0]!, SPECS[0]!])).toEqual([]));
it("groups what differs in its seed alone", () => {
  const found = differences(SPECS);
  expect(seedGroups(3, found)).toEqual([[0, 1], [2]]);
  expect(groupLabel(2, found)).toBe("clip_norm 1, lr 0.5");
});
it("colours numbers by their size and words by their identity", () => {
  expect(colorsBy(["1", "2", "3"], String)).toEqual(["rgb(68 1 84)", "rgb(33 145 140)", "rgb(190 205 40)"]);
  expect(colorsBy(["0.001", "0.01", "0.1"], String)[1]).toBe("rgb(33 145 140)");
  expect(colorsBy(['"a"', '"b"', '"a"'], String)).toEqual(["0", "1", "0"]);
});
