import { useMemo } from "preact/hooks";
import type { ProblemDetail } from "../../api/schema";
import { markOf } from "../../editor/pointers";
import { parseText, type PlacedProblem } from "../../editor/text";

/** All problems and warnings of a text at their places, in the order of the text. */
export function useProblems(text: string, errors: readonly ProblemDetail[], warnings: readonly ProblemDetail[]): PlacedProblem[] {
  return useMemo(() => placeProblems(text, errors, warnings), [text, errors, warnings]);
}

export function placeProblems(text: string, errors: readonly ProblemDetail[], warnings: readonly ProblemDetail[]): PlacedProblem[] {
  const { root, errors: syntax } = parseText(text);
  if (!root || syntax.length > 0) return syntax;
  const placed = (severity: PlacedProblem["severity"]) => (problem: ProblemDetail) => ({ problem, severity, ...markOf(root, problem.pointer, problem.code, text) });
  return [...errors.map(placed("error")), ...warnings.map(placed("warning"))].sort((a, b) => a.from - b.from);
}
