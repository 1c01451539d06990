import { useState } from "preact/hooks";
import { Field } from "../../../ui/Field";
import type { Json } from "./schemas";

type Kind = "now" | "step" | "epoch" | "below" | "above" | "plateau";

const LABELS: Record<Kind, string> = {
  now: "now: before the next step", step: "before a step", epoch: "at the beginning of an epoch",
  below: "when a metric is below", above: "when a metric is above", plateau: "when a metric no longer improves",
};

/** When an edit is applied. `series` are those that the job has, `step` the one that it is at. */
export function TriggerForm({ at, series, step, onChange }: { at: "now" | Json | null; series: readonly string[]; step: number; onChange: (at: "now" | Json | null) => void }) {
  const [kind, setKind] = useState<Kind>(kindOf(at));
  const [metric, setMetric] = useState(String((at as { when?: Json } | null)?.when?.["metric"] ?? ["val/return", "val/loss"].find((name) => series.includes(name)) ?? series[0] ?? ""));
  const [amount, setAmount] = useState(amountOf(at));
  const change = (next: Kind, name: string, text: string) => {
    setKind(next);
    setMetric(name);
    setAmount(text);
    const value = Number(text);
    if (next === "now") onChange("now");
    else if (text === "" || Number.isNaN(value)) onChange(null);
    else if (next === "step" || next === "epoch") onChange({ [next]: value });
    else onChange({ when: { metric: name, [next]: value } });
  };
  const numeric = kind === "step" || kind === "epoch" || kind === "plateau";
  const when = kind !== "now" && kind !== "step" && kind !== "epoch";
  return (
    <div class="surgery-trigger">
      <Field label="When">
        {(attributes) => (
          <select {...attributes} value={kind} onChange={(event) => change(event.currentTarget.value as Kind, metric, "")}>
            {(Object.keys(LABELS) as Kind[]).map((each) => <option key={each} value={each}>{LABELS[each]}</option>)}
          </select>
        )}
      </Field>
      {when && (
        <Field label="Metric">
          {(attributes) => (
            <select {...attributes} value={metric} onChange={(event) => change(kind, event.currentTarget.value, amount)}>
              {series.map((name) => <option key={name} value={name}>{name}</option>)}
            </select>
          )}
        </Field>
      )}
      {kind !== "now" && (
        <Field label={kind === "plateau" ? "Evaluations" : kind === "step" || kind === "epoch" ? `Which ${kind}` : "Value"} hint={kind === "step" ? `It is at step ${step.toLocaleString("en")} now.` : undefined}>
          {(attributes) => <input {...attributes} type="number" min={numeric ? 0 : undefined} step={numeric ? 1 : "any"} required value={amount} onInput={(event) => change(kind, metric, event.currentTarget.value)} />}
        </Field>
      )}
    </div>
  );
}

function kindOf(at: "now" | Json | null): Kind {
  if (at === "now" || at === null) return "now";
  if (typeof at["step"] === "number") return "step";
  if (typeof at["epoch"] === "number") return "epoch";
  const when = (at["when"] ?? {}) as Json;
  return "below" in when ? "below" : "above" in when ? "above" : "plateau";
}

/** The number in a trigger: a step, an epoch, or what a metric is compared with. */
function amountOf(at: "now" | Json | null): string {
  if (at === "now" || at === null) return "";
  const when = (at["when"] ?? {}) as Json;
  return String(at["step"] ?? at["epoch"] ?? when["below"] ?? when["above"] ?? when["plateau"] ?? "");
}
