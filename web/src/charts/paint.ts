import { bestRow, firstAtLeast, MARKS, traceBand, traceLine, unplaced, visibleRows, type Frame, type Line, type Mark } from "./lines";
import { forward, hasPlace, type AxisKind, type Scale } from "./scales";
import type { Surface } from "./surface";

/** What a chart shows. */
export interface ChartContent {
  label: string;
  lines: readonly Line[];
  axis: AxisKind;
  xTitle: string;
  xScale: Scale;
  yScale: Scale;
  range: readonly [number, number]; // the part of x that is shown
  marks: readonly Mark[];
  pins: readonly number[];
  band: boolean; // the area between the least and the largest values; without it lines go through them
  trimmed: boolean; // the largest and least 2 % of the values may lie outside
}

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Colours of the theme, by their names in the style sheet. */
export type Palette = (name: string) => string;

export const colorOf = (line: Line, palette: Palette): string => (line.color.startsWith("--") ? palette(line.color) : line.color);

/** Where values of a chart lie in a box. */
export function frameOf(content: ChartContent, box: Box, yRange: readonly [number, number]): Frame {
  const { xScale, yScale, range } = content;
  const [x0, x1] = [forward(range[0], xScale), forward(range[1], xScale)];
  const [y0, y1] = [forward(yRange[0], yScale), forward(yRange[1], yScale)];
  return {
    xScale,
    yScale,
    toX: (x) => box.left + ((forward(x, xScale) - x0) / (x1 - x0 || 1)) * box.width,
    toY: (y) => box.top + box.height - ((forward(y, yScale) - y0) / (y1 - y0 || 1)) * box.height,
  };
}

/** Paint the lines of a chart, and what happened, into a box; `ratio` is the number of units of a CSS pixel. */
export function paint(surface: Surface, content: ChartContent, box: Box, yRange: readonly [number, number], palette: Palette, ratio = 1): void {
  const frame = frameOf(content, box, yRange);
  paintRules(surface, content, box, frame, palette, ratio);
  for (const line of content.lines) paintLine(surface, line, content, box, frame, palette);
  for (const line of content.lines) paintBest(surface, line, content, frame, palette);
  for (const line of content.lines) paintUnplaced(surface, line, content, box, frame, palette, ratio);
  paintMarks(surface, content, box, frame, palette, ratio);
}

function paintLine(surface: Surface, line: Line, content: ChartContent, box: Box, frame: Frame, palette: Palette): void {
  const color = colorOf(line, palette);
  const { columns, smooth } = line;
  const rows = visibleRows(columns, ...content.range);
  if (content.band) surface.path({ color, alpha: smooth ? 0.13 : 0.22 }, (sink) => traceBand(columns, rows, frame, sink, box.top + box.height));
  const dash = line.dashed ? [6, 4] : [];
  const dots: [number, number][] = [];
  surface.path({ color, width: smooth ? 1 : 1.6, alpha: smooth ? 0.32 : 1, dash: smooth ? [] : dash }, (sink) =>
    traceLine(columns, rows, frame, sink, !content.band, (x, y) => dots.push([x, y])),
  );
  if (smooth) {
    surface.path({ color, width: 2, dash }, (sink) =>
      traceLine(smooth, visibleRows(smooth, ...content.range), frame, sink, false, (x, y) => dots.push([x, y])),
    );
  }
  for (const [x, y] of dots) surface.circle(x, y, 3.5, { color });
}

function paintBest(surface: Surface, line: Line, content: ChartContent, frame: Frame, palette: Palette): void {
  const row = bestRow(line);
  if (row < 0) return;
  const x = line.columns.x[row]!;
  const y = line.better === "low" ? line.columns.min[row]! : line.columns.max[row]!;
  if (x < content.range[0] || x > content.range[1] || !hasPlace(y, frame.yScale) || !hasPlace(x, frame.xScale)) return;
  surface.circle(frame.toX(x), frame.toY(y), 4.5, { color: palette("--surface") });
  surface.circle(frame.toX(x), frame.toY(y), 4, { color: colorOf(line, palette), width: 2 });
}

/** What has no place at its value stands on an edge: infinities at their end, the rest below. One in some pixels is enough. */
function paintUnplaced(surface: Surface, line: Line, content: ChartContent, box: Box, frame: Frame, palette: Palette, ratio: number): void {
  let before = -Infinity;
  for (const { x, what } of unplaced(line, content.yScale)) {
    if (x < content.range[0] || x > content.range[1] || !hasPlace(x, frame.xScale)) continue;
    const left = frame.toX(x);
    if (left - before < 9 * ratio) continue;
    before = left;
    const top = what === "∞" ? box.top + 6 * ratio : box.top + box.height - 6 * ratio;
    surface.text(left, top, { "∞": "▲", "−∞": "▼", NaN: "✕", "≤ 0": "▽" }[what], what === "≤ 0" ? colorOf(line, palette) : palette("--danger"), "middle", 10);
  }
}

function paintRules(surface: Surface, content: ChartContent, box: Box, frame: Frame, palette: Palette, ratio: number): void {
  const rule = (x: number, color: string, dash: number[]) => {
    if (x < content.range[0] || x > content.range[1] || !hasPlace(x, frame.xScale)) return;
    surface.path({ color, width: 1, dash }, (sink) => {
      sink.moveTo(frame.toX(x), box.top);
      sink.lineTo(frame.toX(x), box.top + box.height);
    });
  };
  for (const mark of content.marks) if (MARKS[mark.kind].ruled) rule(mark.x, palette(MARKS[mark.kind].color), [3, 3]);
  for (const [index, pin] of content.pins.entries()) {
    rule(pin, palette("--accent"), []);
    if (pin >= content.range[0] && pin <= content.range[1]) surface.text(frame.toX(pin) + 4 * ratio, box.top + 8 * ratio, String(index + 1), palette("--accent"), "start");
  }
}

function paintMarks(surface: Surface, content: ChartContent, box: Box, frame: Frame, palette: Palette, ratio: number): void {
  let before = -Infinity;
  for (const mark of content.marks) {
    if (mark.x < content.range[0] || mark.x > content.range[1] || !hasPlace(mark.x, frame.xScale)) continue;
    const left = frame.toX(mark.x);
    if (left - before < 8 * ratio) continue; // the readout tells of all of them
    before = left;
    surface.text(left, box.top - 7 * ratio, MARKS[mark.kind].symbol, palette(MARKS[mark.kind].color), "middle", 10);
  }
}

/** The marks within some distance of a place on the x axis. */
export function marksNear(marks: readonly Mark[], x: number, distance: number): Mark[] {
  const at = marks.map((mark) => mark.x);
  return marks.slice(firstAtLeast(at, x - distance), firstAtLeast(at, x + distance, true));
}
