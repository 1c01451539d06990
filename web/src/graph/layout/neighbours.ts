import type { Drawing } from "./layout";

export type Direction = "up" | "down" | "left" | "right";

interface Rectangle {
  key: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Where an arrow key leads from a box or a port: along an edge, into or out of an open box, or to what is beside it. */
export function neighbour(drawing: Drawing, key: string, direction: Direction): string | undefined {
  const from = itemsOf(drawing).find((item) => item.key === key);
  if (!from) return itemsOf(drawing)[0]?.key;
  if (direction === "left" || direction === "right") return beside(drawing, from, direction);
  const down = direction === "down";
  const open = drawing.boxes.some((box) => box.key === key && box.open);
  const port = drawing.ports.find((each) => each.key === key);
  if (down && open) {
    const inside = drawing.ports.find((each) => each.owner === key && each.side === "input") ?? drawing.boxes.find((box) => box.key.startsWith(`${key}.`));
    if (inside) return inside.key;
  }
  const along = drawing.edges.filter((edge) => (down ? edge.from : edge.to) === key).map((edge) => (down ? edge.to : edge.from));
  const found = nearest(itemsOf(drawing).filter((item) => along.includes(item.key)), from);
  if (found) return found.key;
  if (!port?.owner) return undefined;
  return down ? neighbourBelow(drawing, port.owner) : port.owner;
}

/** What follows an open box: down from its last output. */
function neighbourBelow(drawing: Drawing, key: string): string | undefined {
  return drawing.edges.find((edge) => edge.from === key)?.to;
}

const itemsOf = (drawing: Drawing): Rectangle[] => [...drawing.boxes, ...drawing.ports];

function beside(drawing: Drawing, from: Rectangle, direction: "left" | "right"): string | undefined {
  const sign = direction === "right" ? 1 : -1;
  const centre = middle(from);
  const candidates = itemsOf(drawing).filter((item) => {
    const other = middle(item);
    const contains = item.x < from.x && item.y < from.y && item.x + item.width > from.x + from.width && item.y + item.height > from.y + from.height;
    return item.key !== from.key && !contains && sign * (other.x - centre.x) > 4 && item.y < from.y + from.height && item.y + item.height > from.y;
  });
  return nearest(candidates, from)?.key;
}

function nearest(items: Rectangle[], from: Rectangle): Rectangle | undefined {
  const centre = middle(from);
  const distance = (item: Rectangle) => Math.hypot(middle(item).x - centre.x, middle(item).y - centre.y);
  return items.reduce<Rectangle | undefined>((best, item) => (!best || distance(item) < distance(best) ? item : best), undefined);
}

const middle = (item: Rectangle) => ({ x: item.x + item.width / 2, y: item.y + item.height / 2 });
