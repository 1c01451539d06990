import { formatNumber } from "../../../ui/format";
import type { Charts } from "./charts";
import { valueAt } from "./tables";

/** The values of all lines at the pinned steps, side by side. */
export function PinTable({ pins, charts, onRemove }: { pins: readonly number[]; charts: Charts; onRemove: (pin: number) => void }) {
  if (!pins.length) return <p class="hint">Click into a chart to pin a step; several can be compared. Drag to zoom, Shift and drag to move, double-click to see all.</p>;
  const lines = charts.panels.flatMap(({ content }) => content.lines);
  return (
    <section>
      <h2>Pinned steps</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Pinned steps">
        <table>
          <thead>
            <tr>
              <th scope="col">Series</th>
              {pins.map((pin, index) => (
                <th key={pin} scope="col" class="number">
                  {index + 1}: step {formatNumber(pin)} <button type="button" class="plain" aria-label={`Take away the pin at step ${pin}`} onClick={() => onRemove(pin)}>×</button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {lines.map((line) => (
              <tr key={line.id}>
                <th scope="row">{line.label}</th>
                {pins.map((pin) => {
                  const value = valueAt(line, pin);
                  return <td key={pin} class="number">{value ? value.text : "–"}{value && value.step !== pin && line.width === 1 && <span class="muted"> @ {formatNumber(value.step)}</span>}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
