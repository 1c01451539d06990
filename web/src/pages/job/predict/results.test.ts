import { expect, it } from "vitest";
import type { Predicted, PredictedOutput } from "../../../api/schema";
import { answerText, barsOf } from "./results";

const output = (about: PredictedOutput["about"], labels: string[] | null = null, unit: string | null = null): PredictedOutput => ({ about, labels, unit, target: "y", loss: null });

it("ranks probabilities and marks what was chosen", () => {
  const bars = barsOf(output("classes", ["a", "b", "c"]), { label: "c", probabilities: [0.1, 0.2, 0.7] } as Predicted);
  expect(bars.map((bar) => [bar.label, bar.chosen])).toEqual([["c", true], ["b", false], ["a", false]]);
  const labels = barsOf(output("labels", ["a", "b"]), { labels: [{ label: "b", probability: 0.9 }], probabilities: [0.1, 0.9] } as Predicted);
  expect(labels.map((bar) => bar.chosen)).toEqual([true, false]);
  const digits = barsOf(output("classes"), { label: 1, probabilities: [0.2, 0.8] } as Predicted);
  expect(digits.map((bar) => [bar.label, bar.chosen])).toEqual([["1", true], ["0", false]]);
  const decision = barsOf(output("decisions"), { label: true, probabilities: [0.2, 0.8] } as Predicted);
  expect(decision.map((bar) => [bar.label, bar.chosen])).toEqual([["yes", true], ["no", false]]);
  expect(barsOf(output("tags", ["O"]), { tags: ["O"], probabilities: [[1]] } as Predicted)).toEqual([]);
});

it("says what is predicted", () => {
  expect(answerText(output("classes"), { label: "<b>" } as Predicted)).toBe("<b>");
  expect(answerText(output("numbers", null, "kg"), { value: 2.5 } as Predicted)).toBe("2.5 kg");
  expect(answerText(output("labels"), { labels: [] } as unknown as Predicted)).toBe("none");
  expect(answerText(output("action", ["torque"]), { value: [-1.5] } as unknown as Predicted)).toBe("torque -1.5");
  expect(answerText(output("action", ["left", "right"]), { value: 1, label: "right" } as unknown as Predicted)).toBe("right (1)");
  expect(answerText(output("action"), { value: [1, 0.25] } as unknown as Predicted)).toBe("1 · 0.25");
  expect(answerText(output("tags"), { tags: ["O", "B-PER"] } as Predicted)).toBe("O · B-PER");
});
