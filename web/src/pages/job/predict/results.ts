import { formatNumber, toNumber, type JsonNumber } from "../../../ui/format";
import type { Predicted, PredictedOutput } from "../../../api/schema";

export interface Bar {
  label: string;
  probability: number;
  chosen: boolean;
}

/** The probabilities of one row's output as bars, the largest first; nothing if it has none. */
export function barsOf(output: PredictedOutput, predicted: Predicted): Bar[] {
  const { probabilities } = predicted;
  if (!Array.isArray(probabilities) || probabilities.some(Array.isArray)) return [];
  const labels = output.labels ?? probabilities.map((_, code) => (output.about === "decisions" ? ["no", "yes"][code]! : code));
  if (probabilities.length !== labels.length) return [];
  const several = new Set((predicted.labels ?? []).map((each) => String(each.label)));
  const bars = labels.map((label, index) => ({
    label: String(label),
    probability: toNumber(probabilities[index] as JsonNumber),
    chosen: output.about === "labels" ? several.has(String(label)) : isSaid(output, predicted.label, label, index),
  }));
  return bars.sort((a, b) => b.probability - a.probability);
}

/** Whether a label is the one that was said; a decision without words of its own says true or false, 1 or 0. */
function isSaid(output: PredictedOutput, said: unknown, label: string | number | boolean, code: number): boolean {
  if (output.labels === null && output.about === "decisions") return (said === true || said === 1 || said === "yes") === (code === 1);
  return String(label) === String(said);
}

/** What an output says of a row, in words. */
export function answerText(output: PredictedOutput, predicted: Predicted): string {
  if (output.about === "labels") return (predicted.labels ?? []).map((each) => String(each.label)).join(" · ") || "none";
  if (output.about === "action") return actionText(output, predicted);
  const said: unknown = predicted.label ?? predicted.tags ?? predicted.value ?? predicted.raw;
  const text = Array.isArray(said) ? (said.every((each) => typeof each !== "object") ? said.map(scalarText).join(" · ") : JSON.stringify(said)) : scalarText(said ?? "–");
  return output.unit ? `${text} ${output.unit}` : text;
}

/** An action: the name of a choice with its number, or numbers with the names of what they set. */
function actionText({ labels }: PredictedOutput, { value, label }: Predicted): string {
  if (!Array.isArray(value)) return label === undefined || label === null ? scalarText(value ?? "–") : `${String(label)} (${scalarText(value)})`;
  return value.map((each, index) => `${labels?.length === value.length ? `${String(labels[index])} ` : ""}${typeof each === "object" ? JSON.stringify(each) : scalarText(each)}`).join(" · ");
}

/** A float32 number has seven digits that mean something; labels stay as they are. */
const scalarText = (value: unknown): string => (typeof value === "number" && !Number.isInteger(value) ? formatNumber(value, 7) : String(value));
