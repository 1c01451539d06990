import { formatTick } from "./axes";
import { visibleRange } from "./lines";
import { colorOf, frameOf, paint, type Box, type ChartContent, type Palette } from "./paint";
import { ticks } from "./scales";
import { escapeText, SvgSurface } from "./surface";

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
const LEGEND_LINE = 18;

/** A chart as an SVG document of its own: the same paths as on the page, with title, axes and legend. */
export function chartSvg(content: ChartContent, width: number, height: number, palette: Palette): string {
  const legend = content.lines.length * LEGEND_LINE;
  const box: Box = { left: 74, top: 48, width: width - 94, height: height - 48 - 46 };
  const surface = new SvgSurface();
  const yRange = visibleRange(content.lines, ...content.range, content.yScale, content.trimmed);
  surface.text(box.left, 18, content.label, palette("--text"), "start", 15);
  paintAxes(surface, content, box, yRange, palette);
  surface.parts.push(`<clipPath id="frame"><rect x="${box.left - 2}" y="${box.top - 16}" width="${box.width + 4}" height="${box.height + 17}"/></clipPath><g clip-path="url(#frame)">`);
  paint(surface, content, box, yRange, palette);
  surface.parts.push("</g>");
  content.lines.forEach((line, index) => {
    const y = height + index * LEGEND_LINE;
    surface.path({ color: colorOf(line, palette), width: 3, dash: line.dashed ? [6, 4] : [] }, (sink) => (sink.moveTo(box.left, y), sink.lineTo(box.left + 22, y)));
    surface.text(box.left + 30, y, line.label, palette("--text"), "start", 12);
  });
  const all = height + legend + 8;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${all}" viewBox="0 0 ${width} ${all}" role="img" aria-label="${escapeText(content.label)}" font-family="${FONT}">` +
    `<rect width="${width}" height="${all}" fill="${palette("--surface")}"/>${surface.parts.join("")}</svg>`
  );
}

function paintAxes(surface: SvgSurface, content: ChartContent, box: Box, yRange: [number, number], palette: Palette): void {
  const frame = frameOf(content, box, yRange);
  const grid = { color: palette("--border"), width: 1 };
  const span = content.range[1] - content.range[0];
  for (const x of ticks(...content.range, Math.max(2, box.width / 110), content.xScale, content.axis)) {
    surface.path(grid, (sink) => (sink.moveTo(frame.toX(x), box.top), sink.lineTo(frame.toX(x), box.top + box.height)));
    surface.text(frame.toX(x), box.top + box.height + 14, formatTick(x, content.axis, span), palette("--text-muted"), "middle", 12);
  }
  for (const y of ticks(...yRange, Math.max(2, box.height / 45), content.yScale)) {
    surface.path(grid, (sink) => (sink.moveTo(box.left, frame.toY(y)), sink.lineTo(box.left + box.width, frame.toY(y))));
    surface.text(box.left - 8, frame.toY(y), formatTick(y, "number", 0), palette("--text-muted"), "end", 12);
  }
  surface.text(box.left + box.width, box.top + box.height + 31, content.xTitle, palette("--text-muted"), "end", 12);
}
