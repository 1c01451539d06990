import { formatNumber } from "../../ui/format";
import type { Box } from "../model/tree";

/** A quantity that colours the boxes, and stands in each as a number. */
export interface Overlay {
  title: string;
  values: ReadonlyMap<string, number>; // by path of the node; NaN where it is not finite
  logarithmic?: boolean;
  format?: (value: number) => string;
}

export interface OverlayScale {
  low: number;
  high: number;
  share: (value: number) => number; // 0 for the lowest value, 1 for the highest
  format: (value: number) => string;
}

export function scaleOf(overlay: Overlay): OverlayScale {
  const format = overlay.format ?? ((value: number) => formatNumber(value, 3));
  const values = [...overlay.values.values()].filter((value) => Number.isFinite(value) && (!overlay.logarithmic || value > 0));
  const low = Math.min(...values);
  const high = Math.max(...values);
  const map = overlay.logarithmic ? Math.log : (value: number) => value;
  const span = map(high) - map(low);
  const share = (value: number) => {
    if (!Number.isFinite(value)) return 1;
    if (overlay.logarithmic && value <= 0) return 0;
    return span > 0 ? Math.min(1, Math.max(0, (map(value) - map(low)) / span)) : 0.5;
  };
  return { low, high, share, format };
}

/** A box's own value, or the largest of the nodes that it stands for, or else of what is inside it. */
export function valueOf(overlay: Overlay, box: Box): { value: number; inside: boolean } | undefined {
  const own = box.paths.map((path) => overlay.values.get(path)).filter((value) => value !== undefined);
  let largest = own.length ? own.reduce((most, value) => (value <= most ? most : value)) : undefined;
  if (largest !== undefined) return { value: largest, inside: own.length > 1 };
  for (const scope of box.scopes) {
    for (const inner of scope.boxes) {
      const found = valueOf(overlay, inner);
      if (found && (largest === undefined || !(found.value <= largest))) largest = found.value;
    }
  }
  return largest === undefined ? undefined : { value: largest, inside: true };
}

/** The colour of a share: mixed with the surface so that text on it can be read in both themes. */
export const overlayColor = (share: number): string => `color-mix(in srgb, var(--series-2) ${Math.round(4 + 44 * share)}%, var(--surface))`;
