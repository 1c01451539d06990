import { backward, forward, type Scale } from "./scales";

export type Range = readonly [number, number];

/**
 * Move a range by a share of its length, and make it longer or shorter by a factor, on the scale of its axis.
 * Returns null for all of the extent, which it does not leave.
 */
export function moveRange(range: Range, extent: Range, scale: Scale, shift: number, factor: number): Range | null {
  const [low, high] = [forward(extent[0], scale), forward(extent[1], scale)];
  const [from, to] = [forward(range[0], scale), forward(range[1], scale)];
  const length = (to - from) * factor;
  if (length >= high - low) return null;
  const middle = (from + to) / 2 + shift * (to - from);
  const start = Math.min(Math.max(middle - length / 2, low), high - length);
  return [backward(start, scale), backward(start + length, scale)];
}

/** Three times the range, so that what is beside it is there when it moves. */
export function withSurroundings(range: Range, scale: Scale): Range {
  const [from, to] = [forward(range[0], scale), forward(range[1], scale)];
  return [backward(from - (to - from), scale), backward(to + (to - from), scale)];
}
