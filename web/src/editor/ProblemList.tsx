import type { Fix } from "./fixes";
import { lineOf, type PlacedProblem } from "./text";
import "./editor.css";

interface Props {
  text: string;
  problems: readonly PlacedProblem[];
  fixesOf: (problem: PlacedProblem) => Fix[];
  onGo: (problem: PlacedProblem) => void;
  onFix: (fix: Fix) => void;
}

/** The problems of a text by line: a click goes to the place, and another one mends it where a hint is exact. */
export function ProblemList({ text, problems, fixesOf, onGo, onFix }: Props) {
  return (
    <ul class="problem-list" aria-label="Problems">
      {problems.map((placed, index) => (
        <li key={index}>
          <span class={`sign ${placed.severity}`}>
            <span aria-hidden="true">{placed.severity === "error" ? "✕" : "!"}</span>
            <span class="visually-hidden">{placed.severity}</span>
          </span>
          <button type="button" class="place" onClick={() => onGo(placed)}>
            line {lineOf(text, placed.from)}: {placed.problem.detail}
            {placed.problem.hint && <span class="hint"> {placed.problem.hint}</span>}
          </button>
          {fixesOf(placed).map((fix) => (
            <button key={fix.label} type="button" class="fix" onClick={() => onFix(fix)}>{fix.label}</button>
          ))}
        </li>
      ))}
    </ul>
  );
}
