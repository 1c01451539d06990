import type { Sink } from "./lines";

export interface Pen {
  color: string;
  width?: number; // of a line; without it the area is filled
  alpha?: number;
  dash?: readonly number[];
}

/** What a chart is painted on: a canvas on the page, or an SVG for a file. */
export interface Surface {
  path(pen: Pen, trace: (sink: Sink) => void): void;
  circle(x: number, y: number, radius: number, pen: Pen): void;
  text(x: number, y: number, text: string, color: string, anchor: "start" | "middle" | "end", size?: number): void;
}

export class CanvasSurface implements Surface {
  constructor(private readonly context: CanvasRenderingContext2D, private readonly ratio: number) {}

  path(pen: Pen, trace: (sink: Sink) => void): void {
    this.context.beginPath();
    trace(this.context);
    this.apply(pen);
  }

  circle(x: number, y: number, radius: number, pen: Pen): void {
    this.context.beginPath();
    this.context.arc(x, y, radius * this.ratio, 0, 2 * Math.PI);
    this.apply(pen);
  }

  text(x: number, y: number, text: string, color: string, anchor: "start" | "middle" | "end", size = 11): void {
    const { context } = this;
    context.fillStyle = color;
    context.font = `600 ${size * this.ratio}px system-ui, sans-serif`;
    context.textAlign = anchor === "middle" ? "center" : anchor;
    context.textBaseline = "middle";
    context.fillText(text, x, y);
  }

  private apply({ color, width, alpha = 1, dash = [] }: Pen): void {
    const { context, ratio } = this;
    context.globalAlpha = alpha;
    if (width === undefined) {
      context.fillStyle = color;
      context.fill();
    } else {
      context.strokeStyle = color;
      context.lineWidth = width * ratio;
      context.lineJoin = "round";
      context.setLineDash(dash.map((length) => length * ratio));
      context.stroke();
      context.setLineDash([]);
    }
    context.globalAlpha = 1;
  }
}

export class SvgSurface implements Surface {
  readonly parts: string[] = [];

  path(pen: Pen, trace: (sink: Sink) => void): void {
    const commands: string[] = [];
    trace({
      moveTo: (x, y) => commands.push(`M${round(x)} ${round(y)}`),
      lineTo: (x, y) => commands.push(`L${round(x)} ${round(y)}`),
    });
    if (commands.length) this.parts.push(`<path d="${commands.join("")}" ${attributes(pen)}/>`);
  }

  circle(x: number, y: number, radius: number, pen: Pen): void {
    this.parts.push(`<circle cx="${round(x)}" cy="${round(y)}" r="${radius}" ${attributes(pen)}/>`);
  }

  text(x: number, y: number, text: string, color: string, anchor: "start" | "middle" | "end", size = 11): void {
    this.parts.push(`<text x="${round(x)}" y="${round(y)}" fill="${color}" font-size="${size}" text-anchor="${anchor}" dominant-baseline="central">${escapeText(text)}</text>`);
  }
}

function attributes({ color, width, alpha = 1, dash }: Pen): string {
  const opacity = alpha === 1 ? "" : ` opacity="${alpha}"`;
  if (width === undefined) return `fill="${color}"${opacity}`;
  return `fill="none" stroke="${color}" stroke-width="${width}" stroke-linejoin="round"${dash?.length ? ` stroke-dasharray="${dash.join(" ")}"` : ""}${opacity}`;
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** Text of users as text of XML and HTML. */
export const escapeText = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`).replace(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, "�");
