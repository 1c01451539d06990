import type { Signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Chart } from "../charts/Chart";
import { unplaced, type Line } from "../charts/lines";
import type { ChartContent } from "../charts/paint";
import type { Range } from "../charts/ranges";
import { formatX } from "../charts/axes";
import { formatNumber } from "../ui/format";
import { Legend } from "./Legend";
import "./curves.css";

interface Props {
  content: ChartContent;
  lines: readonly Line[]; // of the legend: those that are hidden too
  hidden: readonly string[];
  extent: Range;
  cursor: Signal<number | null>;
  large: boolean;
  onRange: (range: Range | null, settled: boolean) => void;
  onPick: (x: number) => void;
  onToggle: (id: string) => void;
  onLarge: (large: boolean) => void;
}

/** A chart with its title, its legend, what it cannot draw in words, and its numbers as a table. */
export function ChartPanel(props: Props) {
  const { content, lines, hidden, extent, cursor, large, onRange, onPick, onToggle, onLarge } = props;
  const [table, setTable] = useState(false);
  return (
    <section class={large ? "panel curve-panel large" : "panel curve-panel"}>
      <div class="row spread">
        <h2>{content.label}</h2>
        <button type="button" class="plain" aria-pressed={large} onClick={() => onLarge(!large)}>{large ? "Smaller" : "Larger"}</button>
      </div>
      <Chart content={content} height={large ? 460 : 250} extent={extent} cursor={cursor} onRange={onRange} onPick={onPick} />
      <Legend content={content} lines={lines} hidden={hidden} cursor={cursor} onToggle={onToggle} />
      <Notes content={content} />
      <details onToggle={(event) => setTable(event.currentTarget.open)}>
        <summary>Numbers</summary>
        {table && <NumberTable content={content} />}
      </details>
    </section>
  );
}

/** What the chart does not show at its place, said in words. */
function Notes({ content }: { content: ChartContent }) {
  const counts = new Map<string, number>();
  for (const line of content.lines) for (const { what, count } of unplaced(line, content.yScale)) counts.set(what, (counts.get(what) ?? 0) + count);
  const notes = [...counts].map(([what, count]) =>
    what === "≤ 0" ? `${count} × not positive: no place on a logarithmic axis (▽)` : `${count} × ${what} (${{ NaN: "✕", "∞": "▲", "−∞": "▼" }[what]})`,
  );
  if (content.yScale.kind === "symlog") notes.push(`linear between ±${formatNumber(content.yScale.threshold)}, logarithmic beyond`);
  if (content.xScale.kind === "log" && content.lines.some(({ columns }) => columns.x[0]! <= 0)) notes.push("x ≤ 0 has no place on a logarithmic axis");
  if (content.trimmed) notes.push("the largest and least 2 % of the values may lie outside");
  const width = Math.max(0, ...content.lines.map((line) => line.width));
  if (width > 1) notes.push(`up to ${width} points in one place: ${content.band ? "the band goes" : "lines go"} from the least to the largest of them`);
  return notes.length ? <p class="hint">{notes.join("; ")}.</p> : null;
}

const MOST_ROWS = 500;

function NumberTable({ content }: { content: ChartContent }) {
  const [low, high] = content.range;
  const rows = content.lines.flatMap((line) =>
    line.columns.x.flatMap((x, row) => (x >= low && x <= high ? [{ line, x, row }] : [])),
  );
  const every = Math.max(1, Math.ceil(rows.length / MOST_ROWS));
  return (
    <div class="scroll curve-numbers" tabIndex={0} role="region" aria-label={`Numbers of ${content.label}`}>
      <table>
        <thead>
          <tr><th scope="col">Series</th><th scope="col" class="number">{content.xTitle}</th><th scope="col" class="number">Step</th><th scope="col" class="number">Last</th><th scope="col" class="number">Min</th><th scope="col" class="number">Max</th></tr>
        </thead>
        <tbody>
          {rows.filter((_, index) => index % every === 0).map(({ line, x, row }) => (
            <tr key={`${line.id} ${row}`}>
              <td>{line.label}</td>
              <td class="number">{formatX(x, content.axis)}</td>
              {[line.columns.step, line.columns.last, line.columns.min, line.columns.max].map((column, index) => (
                <td key={index} class="number">{formatNumber(column[row]!, 6)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {every > 1 && <p class="hint">Every {every}th of {rows.length} rows; the CSV file has every point.</p>}
    </div>
  );
}
