import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { AXES, type View, type XAxis } from "./view";

interface Props {
  view: View;
  axes: readonly XAxis[];
  change: (change: Partial<View>) => void;
  children?: ComponentChildren; // further controls
}

const AXIS_NAMES: Record<XAxis, string> = { step: "Step", epoch: "Epoch", examples: "Examples", elapsed: "Training time", time: "Clock" };

/** How all charts of a page are drawn. */
export function Toolbar({ view, axes, change, children }: Props) {
  return (
    <div class="curve-toolbar row" role="group" aria-label="How the curves are drawn">
      <label>
        x{" "}
        <select value={view.x} onChange={(event) => change({ x: event.currentTarget.value as XAxis, range: null, ...(AXES[event.currentTarget.value as XAxis].kind === "clock" && { xLog: false }) })}>
          {axes.map((axis) => <option key={axis} value={axis}>{AXIS_NAMES[axis]}</option>)}
        </select>
      </label>
      {view.x !== "time" && <Check label="log x" checked={view.xLog} onChange={(xLog) => change({ xLog, range: null })} />}
      <label>
        y{" "}
        <select value={view.y} onChange={(event) => change({ y: event.currentTarget.value as View["y"] })}>
          <option value="linear">Linear</option>
          <option value="log">Logarithmic</option>
          <option value="symlog">Symlog (both signs)</option>
        </select>
      </label>
      <Smoothing value={view.smooth} onChange={(smooth) => change({ smooth })} />
      <Check label="Band" checked={view.band} onChange={(band) => change({ band })} />
      <Check label="Without outliers" checked={view.trimmed} onChange={(trimmed) => change({ trimmed })} />
      {children}
      {view.range && <button type="button" onClick={() => change({ range: null })}>Show all of x</button>}
    </div>
  );
}

export function Check({ label, checked, onChange }: { label: string; checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <label class="curve-check">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} /> {label}
    </label>
  );
}

/** The slider's place is finer where averages become long: 0, 0.5, 0.75, … 0.999. */
const weightAt = (place: number): number => (place === 0 ? 0 : Number((1 - 10 ** (-3 * place)).toFixed(3)));
const placeOf = (weight: number): number => (weight === 0 ? 0 : -Math.log10(1 - weight) / 3);
const SETTLE_MS = 150;

function Smoothing({ value, onChange }: { value: number; onChange: (weight: number) => void }) {
  const [moving, setMoving] = useState<number | null>(null);
  useEffect(() => {
    if (moving === null) return;
    const timer = setTimeout(() => {
      onChange(moving);
      setMoving(null);
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [moving]);
  const weight = moving ?? value;
  return (
    <label class="curve-smoothing">
      Smoothing{" "}
      <input
        type="range" min="0" max="1" step="0.01" value={placeOf(weight)} aria-valuetext={weight ? `weight ${weight}` : "off"}
        onInput={(event) => setMoving(weightAt(Number(event.currentTarget.value)))}
      />{" "}
      <output>{weight ? weight.toFixed(weight >= 0.99 ? 3 : 2) : "off"}</output>
    </label>
  );
}
