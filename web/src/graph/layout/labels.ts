import { formatShape } from "../model/inspection";
import type { PlacedEdge } from "./layout";

const CHARACTER = 6.1; // width, at the size of labels

/**
 * Write the shape of every value beside the straightest of its edges, on the side where no other edge leaves.
 * Returns the width of a drawing that is at least `width` wide and holds all labels.
 */
export function labelEdges(edges: PlacedEdge[], width: number): number {
  const byValue = new Map<string, PlacedEdge[]>();
  for (const edge of edges) byValue.set(edge.name, [...(byValue.get(edge.name) ?? []), edge]);
  for (const [name, all] of byValue) {
    if (!all[0]!.value?.shape) continue;
    const straightest = all.reduce((best, edge) => (Math.abs(bend(edge)) < Math.abs(bend(best)) ? edge : best));
    const right = all.some((edge) => edge !== straightest && bend(edge) > 4);
    const left = all.some((edge) => edge !== straightest && bend(edge) < -4);
    const anchor = right && !left ? "end" : "start";
    const [start] = straightest.points;
    const text = (name.includes(".") ? `${name.slice(name.indexOf(".") + 1)}  ` : "") + formatShape(all[0]!.value);
    straightest.label = { text, anchor, x: start!.x + (anchor === "start" ? 6 : -6), y: start!.y + 13 };
    if (anchor === "start") width = Math.max(width, start!.x + 12 + CHARACTER * text.length);
  }
  return width;
}

/** How far an edge goes to the right at its beginning. */
const bend = (edge: PlacedEdge): number => edge.points[1]!.x - edge.points[0]!.x;
