import { expect, it } from "vitest";
import { betterOf, groupNames, measureOf, shownGroups, splitOf } from "./names";

const NAMES = ["train/lr", "val/loss", "flow/loop/iterations", "train/loss", "val/accuracy", "test/loss", "train/head/loss"];

it("puts the same measure of several rows into one group", () =>
  expect(groupNames(NAMES)).toEqual([
    { measure: "loss", names: ["train/loss", "val/loss", "test/loss"] },
    { measure: "accuracy", names: ["val/accuracy"] },
    { measure: "head/loss", names: ["train/head/loss"] },
    { measure: "lr", names: ["train/lr"] },
    { measure: "flow/loop/iterations", names: ["flow/loop/iterations"] },
  ]));

it("keeps them apart when asked to", () => expect(groupNames(["val/loss", "train/loss"], true).map(({ measure }) => measure)).toEqual(["train/loss", "val/loss"]));

it("puts returns before the losses of an agent", () => {
  const names = ["train/loss", "train/actor/loss", "val/return_std", "episode/length", "val/return", "episode/return", "val/length"];
  expect(groupNames(names)).toEqual([
    { measure: "return", names: ["episode/return", "val/return"] },
    { measure: "length", names: ["episode/length", "val/length"] },
    { measure: "return_std", names: ["val/return_std"] },
    { measure: "actor/loss", names: ["train/actor/loss"] },
    { measure: "loss", names: ["train/loss"] },
  ]);
});

it("names measures and rows", () => {
  expect([measureOf("val/a/b"), measureOf("custom"), measureOf("flow/x/y")]).toEqual(["a/b", "custom", "flow/x/y"]);
  expect([splitOf("val/a"), splitOf("custom")]).toEqual(["val", ""]);
});

it("shows what was chosen, or not too much", () => {
  const many = groupNames(Array.from({ length: 40 }, (_, i) => `flow/${i}/iterations`).concat(NAMES));
  expect(shownGroups(many, []).map(({ measure }) => measure)).toEqual(["loss", "accuracy", "head/loss", "lr"]);
  expect(shownGroups(many, ["flow/3/iterations"]).map(({ measure }) => measure)).toEqual(["flow/3/iterations"]);
});

it.each([["val/loss", "low"], ["train/head/loss", "low"], ["test/span_f1", "high"], ["val/precision_micro", "high"], ["val/return", "high"], ["val/return_std", null], ["train/lr", null], ["flow/a/iterations", null]])(
  "says which values of %s are good",
  (name, better) => expect(betterOf(name)).toBe(better),
);
