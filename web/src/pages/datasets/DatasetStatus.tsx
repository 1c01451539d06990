import type { Dataset } from "../../api/schema";

const STATUSES = {
  ready: ["succeeded", "✓", "ready"],
  awaiting_content: ["paused", "⏸", "awaits content"],
  invalid: ["failed", "✕", "invalid"],
} as const;

/** A data set's status as a symbol and words. */
export function DatasetStatus({ dataset }: { dataset: Dataset }) {
  const [style, symbol, words] = STATUSES[dataset.status];
  const problems = dataset.problems.length;
  return (
    <span class={`status ${style}`}>
      <span aria-hidden="true">{symbol}</span> {words}{problems > 0 && `, ${problems} problem${problems > 1 ? "s" : ""}`}
    </span>
  );
}
