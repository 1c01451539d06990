import { formatShape } from "../model/inspection";
import type { Box, Port } from "../model/tree";
import { formatCount } from "../view/text";

export const FRAME = { header: 30, title: 20, padding: 12 } as const;
const LINE = 15;
const MAX_CHARACTERS = 26;

/** Cut a long name at its middle, so that its number at the end stays. */
export function shorten(text: string, length = MAX_CHARACTERS): string {
  if (text.length <= length) return text;
  const half = Math.floor((length - 1) / 2);
  return `${text.slice(0, length - 1 - half)}…${text.slice(-half)}`;
}

/** The second line of a box: its name, and how many parameters it has. */
export const nameLine = (box: Box): string => shorten(box.name) + (box.parameters ? ` · ${formatCount(box.parameters)}` : "");

/** The size of a folded box; `lines` are the lengths of more lines of text below its name, in characters. */
export function boxSize(box: Box, lines: readonly number[]): { width: number; height: number } {
  const label = 8 * shorten(box.label).length + (box.scopes.length ? 26 : 0);
  const name = 6.9 * nameLine(box).length;
  const width = Math.max(label, name, 44, ...lines.map((length) => 7 * length)) + 30;
  return { width: Math.round(width), height: 42 + LINE * lines.length };
}

/** The least width of an open box, and the height of what stands above its bodies. */
export function headerSize(box: Box, lines: readonly number[]): { width: number; height: number } {
  const first = 8 * shorten(box.label).length + 6.9 * nameLine(box).length + 64;
  return { width: Math.round(Math.max(first, ...lines.map((length) => 7 * length + 24))), height: FRAME.header + LINE * lines.length };
}

export function portSize(port: Port): { width: number; height: number } {
  const text = `${shorten(port.name)}  ${formatShape(port.value)}`;
  return { width: Math.round(6.9 * text.length + 22), height: 24 };
}
