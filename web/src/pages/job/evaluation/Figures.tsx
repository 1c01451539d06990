import { formatNumber, toNumber, type JsonNumber } from "../../../ui/format";

/** The loss and the metrics by name. */
export function Figures({ values }: { values: Record<string, JsonNumber | null> }) {
  return (
    <dl class="evaluation-figures">
      {Object.entries(values).map(([name, value]) => <><dt>{name}</dt><dd>{value === null ? "no number" : formatNumber(toNumber(value))}</dd></>)}
    </dl>
  );
}
