import { expect, it } from "vitest";
import { confusedPairs, foldConfusion, precisionPoints, rocPoints, saidText, sortRows, type ClassRow, type Curve } from "./report";

const COUNTS = [[8, 2, 0, 0], [1, 9, 0, 0], [0, 0, 10, 0], [0, 5, 0, 5]];

it("lists what is confused most, with the share of the true class", () => {
  expect(confusedPairs(COUNTS, 2)).toEqual([
    { truth: 3, chosen: 1, count: 5, share: 0.5 },
    { truth: 0, chosen: 1, count: 2, share: 0.2 },
  ]);
});

it("folds a large matrix to the most confused classes and keeps the sum", () => {
  const folded = foldConfusion(["a", "b", "c", "d"], COUNTS, 3);
  expect(folded.labels).toEqual(["b", "d", "2 others"]);
  expect(folded.counts).toEqual([[9, 0, 1], [5, 5, 0], [2, 0, 18]]);
  expect(foldConfusion(["a", "b", "c", "d"], COUNTS, 4)).toEqual({ labels: ["a", "b", "c", "d"], counts: COUNTS, folded: 0 });
});

const curve: Curve = { label: "yes", positives: 2, negatives: 4, auroc: 0.9, average_precision: 0.8, thresholds: [0.9, 0.2], true_positives: [1, 2], false_positives: [0, 4] };

it("draws curves from counts", () => {
  expect(rocPoints(curve)).toEqual([[0, 0], [0, 0.5], [1, 1]]);
  expect(precisionPoints(curve)).toEqual([[0.5, 1], [1, 1 / 3]]);
  expect(rocPoints({ ...curve, positives: 0 })).toEqual([]);
});

it("sorts rows, those without scores last", () => {
  const row = (label: string, f1: number | null) => ({ label, f1, precision: f1, recall: f1, support: 1, predicted: 1, right: 1 }) as ClassRow;
  const rows = [row("b", null), row("10", 0.2), row("9", 0.7)];
  expect(sortRows(rows, "f1", true).map((each) => each.label)).toEqual(["9", "10", "b"]);
  expect(sortRows(rows, "f1", false).map((each) => each.label)).toEqual(["10", "9", "b"]);
  expect(sortRows(rows, "label", false).map((each) => each.label)).toEqual(["9", "10", "b"]);
});

it("says what was said", () => {
  expect([saidText(["a", "b"]), saidText([]), saidText(null), saidText(1.5)]).toEqual(["a · b", "none", "no number", "1.5"]);
});
