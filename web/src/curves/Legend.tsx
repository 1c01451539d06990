import type { Signal } from "@preact/signals";
import { color as themeColor, dark } from "../shell/theme";
import { formatNumber } from "../ui/format";
import { formatX } from "../charts/axes";
import { bestRow, MARKS, rowAt, type Line } from "../charts/lines";
import { marksNear, type ChartContent } from "../charts/paint";

interface Props {
  content: ChartContent;
  lines: readonly Line[]; // hidden ones too
  hidden: readonly string[];
  cursor: Signal<number | null>;
  onToggle: (id: string) => void;
}

/** Every line of a chart with its value at the cursor, or its last one; a button shows and hides it. */
export function Legend({ content, lines, hidden, cursor, onToggle }: Props) {
  const x = cursor.value;
  const near = x === null ? [] : marksNear(content.marks, x, (content.range[1] - content.range[0]) / 80);
  return (
    <div class="curve-legend">
      <table>
        <caption class="visually-hidden">{content.label}</caption>
        <thead>
          <tr>
            <th scope="col">{x === null ? "Last" : `${content.xTitle} ${formatX(x, content.axis)}`}</th>
            <th scope="col" class="number">Value</th>
            {lines.some((line) => line.smooth) && <th scope="col" class="number">Smoothed</th>}
            <th scope="col" class="number">Best</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <LegendRow key={line.id} line={line} x={x} hidden={hidden.includes(line.id)} smooth={lines.some((each) => each.smooth)} onToggle={onToggle} />
          ))}
        </tbody>
      </table>
      <p class="curve-marks muted" aria-live="polite">
        {near.slice(0, 4).map((mark) => `${MARKS[mark.kind].symbol} ${mark.label}`).join(" · ")}
        {near.length > 4 && ` and ${near.length - 4} more`}
      </p>
    </div>
  );
}

function LegendRow({ line, x, hidden, smooth, onToggle }: { line: Line; x: number | null; hidden: boolean; smooth: boolean; onToggle: (id: string) => void }) {
  const row = x === null ? line.columns.x.length - 1 : rowAt(line.columns, x);
  const smoothRow = line.smooth ? (x === null ? line.smooth.x.length - 1 : rowAt(line.smooth, x)) : -1;
  const best = bestRow(line);
  return (
    <tr class={hidden ? "off" : ""}>
      <th scope="row">
        <button type="button" class="plain" aria-pressed={!hidden} title={`${hidden ? "Show" : "Hide"} ${line.label}`} onClick={() => onToggle(line.id)}>
          <Swatch line={line} /> <span class="curve-name">{line.label}</span>
        </button>
      </th>
      <td class="number">{row < 0 ? "–" : valueText(line, row)}</td>
      {smooth && <td class="number">{smoothRow < 0 ? "–" : formatNumber(line.smooth!.last[smoothRow]!)}</td>}
      <td class="number">{best < 0 ? "" : `${formatNumber(line.better === "low" ? line.columns.min[best]! : line.columns.max[best]!)} @ ${formatNumber(line.columns.step[best]!)}`}</td>
    </tr>
  );
}

/** A value, and of a bucket of several points what else it holds. */
function valueText(line: Line, row: number): string {
  const { last, min, max } = line.columns;
  const value = formatNumber(last[row]!);
  return line.width === 1 || min[row] === max[row] ? value : `${value} (${formatNumber(min[row]!, 3)} … ${formatNumber(max[row]!, 3)})`;
}

export function Swatch({ line }: { line: Pick<Line, "color" | "dashed"> }) {
  dark.value;
  const color = line.color.startsWith("--") ? themeColor(line.color) : line.color;
  return (
    <svg class="curve-swatch" width="18" height="10" aria-hidden="true">
      <line x1="0" y1="5" x2="18" y2="5" stroke={color} stroke-width="3" stroke-dasharray={line.dashed ? "5 3" : undefined} />
    </svg>
  );
}
