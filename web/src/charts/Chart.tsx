import { effect, type Signal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { dark } from "../shell/theme";
import { moveRange, type Range } from "./ranges";
import type { ChartContent } from "./paint";
import { createPlot, type Plot } from "./plot";
import { firstAtLeast } from "./lines";
import "./charts.css";

interface Props {
  content: ChartContent;
  height: number;
  extent: Range; // all of x
  cursor: Signal<number | null>; // shared by charts whose cursors move together
  onRange: (range: Range | null, settled: boolean) => void;
  onPick: (x: number) => void;
}

/** A chart, by mouse and keyboard. What it shows is also in its legend and table, which are text. */
export function Chart({ content, height, extent, cursor, onRange, onPick }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const id = useId();
  const latest = useRef({ content, onRange, onPick });
  latest.current = { content, onRange, onPick };
  const kind = JSON.stringify([content.xScale, content.yScale, content.axis]);
  useEffect(() => {
    const element = holder.current!;
    const created = createPlot(element, latest.current.content, element.clientWidth, height, {
      onCursor: (x) => (cursor.value = x),
      onRange: (range, settled) => latest.current.onRange(range, settled),
      onPick: (x) => latest.current.onPick(x),
    });
    plot.current = created;
    const observer = new ResizeObserver(() => created.resize(element.clientWidth, height));
    observer.observe(element);
    const follow = effect(() => created.setCursor(cursor.value));
    const recolor = effect(() => {
      dark.value; // the canvas takes its colours from the style sheet when it is painted
      created.update(latest.current.content);
    });
    return () => {
      observer.disconnect();
      follow();
      recolor();
      created.destroy();
    };
  }, [kind, height]);
  useEffect(() => plot.current?.update(content), [content]);
  return (
    <>
      <div
        ref={holder}
        class="chart-plot"
        role="group"
        tabIndex={0}
        aria-label={`${content.label}, a chart`}
        aria-describedby={id}
        onKeyDown={(event) => onKey(event, content, extent, cursor, onRange, onPick)}
      />
      <p id={id} class="visually-hidden">
        Arrow keys move the cursor, with Shift the shown range; plus and minus zoom, 0 or Escape shows all, Enter pins the place.
      </p>
    </>
  );
}

function onKey(event: KeyboardEvent, content: ChartContent, extent: Range, cursor: Signal<number | null>, onRange: Props["onRange"], onPick: Props["onPick"]): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const sign = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
  if (sign && event.shiftKey) onRange(moveRange(content.range, extent, content.xScale, 0.2 * sign, 1), true);
  else if (sign) cursor.value = neighbour(content, cursor.value, sign);
  else if (event.key === "Home" || event.key === "End") cursor.value = content.range[event.key === "Home" ? 0 : 1];
  else if (event.key === "+" || event.key === "=") onRange(moveRange(content.range, extent, content.xScale, 0, 0.5), true);
  else if (event.key === "-") onRange(moveRange(content.range, extent, content.xScale, 0, 2), true);
  else if (event.key === "0" || event.key === "Escape") onRange(null, true);
  else if (event.key === "Enter" && cursor.value !== null) onPick(cursor.value);
  else return;
  event.preventDefault();
}

/** The next place at which any line has a point, or a hundredth of the range where points are dense. */
function neighbour({ lines, range }: ChartContent, from: number | null, sign: number): number {
  if (from === null) return sign > 0 ? range[0] : range[1];
  const least = (range[1] - range[0]) / 200;
  let best = sign > 0 ? range[1] : range[0];
  for (const { columns } of lines) {
    const row = sign > 0 ? firstAtLeast(columns.x, from + least) : firstAtLeast(columns.x, from - least, true) - 1;
    const x = columns.x[row];
    if (x !== undefined && (sign > 0 ? x < best : x > best)) best = x;
  }
  return best;
}
