import { setQuery } from "../../../shell/router";
import type { Inside } from "./useInside";
import { QUANTITIES } from "./statistics";

/** Which quantity colours the drawing, and at which of the sampled steps. */
export function InsideControls({ inside, quantity }: { inside: Inside; quantity: string | null }) {
  const { steps, step } = inside;
  const place = Math.max(0, steps.findLastIndex((each) => each <= step));
  const choose = (index: number) => setQuery({ at: index === steps.length - 1 ? null : String(steps[index]) });
  return (
    <div class="row inside-controls">
      <label class="network-pick">
        Show inside
        <select value={quantity ?? ""} onChange={(event) => setQuery({ inside: event.currentTarget.value || null, at: null })}>
          <option value="">nothing</option>
          {QUANTITIES.filter((each) => !each.parts).map((each) => <option key={each.id} value={each.id}>{each.label}</option>)}
        </select>
      </label>
      {quantity && steps.length > 1 && (
        <label class="network-pick grow">
          at step
          <input type="range" class="grow" min={0} max={steps.length - 1} value={place} aria-valuetext={`step ${step}`} onInput={(event) => choose(Number(event.currentTarget.value))} />
          <output>{step.toLocaleString("en")}{place === steps.length - 1 && inside.every ? " (newest)" : ""}</output>
        </label>
      )}
      {quantity && inside.missing && <span class="muted">No statistics of this quantity yet. They are sampled while the job trains, unless its spec says <code>statistics: false</code>.</span>}
    </div>
  );
}
