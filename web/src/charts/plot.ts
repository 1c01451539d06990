import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { color } from "../shell/theme";
import { formatTick } from "./axes";
import { visibleRange } from "./lines";
import { paint, type ChartContent } from "./paint";
import { backward, forward, ticks, type Scale } from "./scales";
import { CanvasSurface } from "./surface";

export interface PlotListener {
  onCursor: (x: number | null) => void;
  onRange: (range: [number, number] | null, settled: boolean) => void; // null: all of it
  onPick: (x: number) => void;
}

/** A chart on the page: uPlot has its axes, cursor and selection; the lines are painted as in a file. */
export interface Plot {
  update: (content: ChartContent) => void;
  setCursor: (x: number | null) => void;
  resize: (width: number, height: number) => void;
  destroy: () => void;
  readonly element: HTMLElement;
}

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const DOUBLE_CLICK_MS = 250;
const NOTHING: uPlot.AlignedData = [[1, 2], [1, 2]]; // uPlot draws no line itself

export function createPlot(parent: HTMLElement, first: ChartContent, width: number, height: number, listener: PlotListener): Plot {
  let content = first;
  const yRange = (): [number, number] => visibleRange(content.lines, ...content.range, content.yScale, content.trimmed);
  const axis = (horizontal: boolean): uPlot.Axis => ({
    stroke: () => color("--text-muted"),
    font: FONT,
    grid: { stroke: () => color("--border"), width: 1 },
    ticks: { stroke: () => color("--border"), width: 1, size: 4 },
    splits: (_, __, low, high) =>
      horizontal ? ticks(low, high, Math.max(2, width / 110), content.xScale, content.axis) : ticks(low, high, Math.max(2, height / 45), content.yScale),
    values: (_, splits) => splits.map((value) => formatTick(value, horizontal ? content.axis : "number", content.range[1] - content.range[0])),
    ...(horizontal ? { size: 30 } : { size: (_: uPlot, labels: string[] | null) => 14 + 7 * Math.max(3, ...(labels ?? []).map((label) => label.length)) }),
  });
  const plot = new uPlot(
    {
      width,
      height,
      padding: [16, 14, 0, 0],
      legend: { show: false },
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      scales: {
        x: { time: false, ...distribution(content.xScale), range: (_, low, high) => [low, high] },
        y: { ...distribution(content.yScale), range: yRange },
      },
      axes: [axis(true), axis(false)],
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false }, bind: pointerBindings(listener, () => content) },
      hooks: {
        draw: [(u) => draw(u, content)],
        setCursor: [(u) => listener.onCursor(u.cursor.left! >= 0 ? u.posToVal(u.cursor.left!, "x") : null)],
        setSelect: [
          (u) => {
            if (u.select.width < 4) return;
            const range: [number, number] = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            listener.onRange(range, true);
          },
        ],
      },
    },
    NOTHING,
    parent,
  );
  const show = () => plot.setScale("x", { min: content.range[0], max: content.range[1] });
  show();
  return {
    element: plot.root,
    update(next) {
      content = next;
      show();
    },
    setCursor: (x) => plot.setCursor({ left: x === null || x < content.range[0] || x > content.range[1] ? -10 : plot.valToPos(x, "x"), top: 0 }, false),
    resize(nextWidth, nextHeight) {
      [width, height] = [nextWidth, nextHeight];
      plot.setSize({ width, height });
    },
    destroy: () => plot.destroy(),
  };
}

function distribution(scale: Scale): Pick<uPlot.Scale, "distr"> & { log?: 10 } {
  if (scale.kind === "linear") return { distr: 1 };
  if (scale.kind === "log") return { distr: 3, log: 10 };
  return { distr: 100, fwd: (value: number) => forward(value, scale), bwd: (place: number) => backward(place, scale) } as unknown as { distr: 100 };
}

function draw(plot: uPlot, content: ChartContent): void {
  const { ctx, bbox, scales } = plot;
  if (scales["y"]!.min == null || scales["y"]!.max == null) return;
  ctx.save();
  ctx.beginPath();
  const ratio = uPlot.pxRatio;
  ctx.rect(bbox.left - 2 * ratio, bbox.top - 16 * ratio, bbox.width + 4 * ratio, bbox.height + 17 * ratio);
  ctx.clip();
  paint(new CanvasSurface(ctx, ratio), content, bbox, [scales["y"]!.min, scales["y"]!.max], color, ratio);
  ctx.restore();
  if (content.lines.some((line) => line.columns.x.length > 0)) performance.mark("graftwerk-curve");
}

/** Dragging selects a range; with Shift it moves the one that is shown. A click picks a place; a double click shows all. */
function pointerBindings(listener: PlotListener, current: () => ChartContent): uPlot.Cursor.Bind {
  let pressed: number | null = null;
  let picking: ReturnType<typeof setTimeout> | undefined;
  return {
    mousedown: (plot, _, handler) => (event: MouseEvent) => {
      pressed = event.clientX;
      if (event.button !== 0) return null;
      if (event.shiftKey) pan(plot.over.clientWidth, event, listener, current());
      else handler(event);
      return null;
    },
    mouseup: (plot, _, handler) => (event: MouseEvent) => {
      handler(event);
      const still = pressed !== null && Math.abs(event.clientX - pressed) < 3 && !event.shiftKey;
      pressed = null;
      const x = plot.posToVal(plot.cursor.left!, "x");
      if (still && event.button === 0 && event.detail === 1) picking = setTimeout(() => listener.onPick(x), DOUBLE_CLICK_MS);
      return null;
    },
    dblclick: () => () => {
      clearTimeout(picking);
      listener.onRange(null, true);
      return null;
    },
  };
}

function pan(width: number, start: MouseEvent, listener: PlotListener, { range, xScale }: ChartContent): void {
  const [from, to] = [forward(range[0], xScale), forward(range[1], xScale)];
  const move = (event: MouseEvent, settled: boolean) => {
    const shift = ((start.clientX - event.clientX) / width) * (to - from);
    listener.onRange([backward(from + shift, xScale), backward(to + shift, xScale)], settled);
  };
  const onMove = (event: MouseEvent) => move(event, false);
  const onUp = (event: MouseEvent) => {
    removeEventListener("mousemove", onMove);
    removeEventListener("mouseup", onUp);
    move(event, true);
  };
  addEventListener("mousemove", onMove);
  addEventListener("mouseup", onUp);
}
