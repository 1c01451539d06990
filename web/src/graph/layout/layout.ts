import { Graph, layout as dagreLayout } from "@dagrejs/dagre";
import type { Value } from "../model/inspection";
import { labelEdges } from "./labels";
import type { Box, Port, Scope } from "../model/tree";
import { boxSize, FRAME, headerSize, portSize } from "./sizes";

export interface Point {
  x: number;
  y: number;
}

/** A rectangle of the drawing: x and y are its upper left corner. */
export interface PlacedBox extends Point {
  key: string; // the path
  box: Box;
  width: number;
  height: number;
  open: boolean; // unfolded: a frame around what is inside
  depth: number;
  titles: (Point & { text: string })[]; // of the bodies of an open box
}

export interface PlacedPort extends Point {
  key: string;
  port: Port;
  side: "input" | "output";
  owner: string; // the path of the box that it is inside; "" for the network's own
  width: number;
  height: number;
}

export interface PlacedEdge {
  key: string;
  from: string; // keys of boxes and ports
  to: string;
  name: string; // of the value
  value: Partial<Value> | undefined;
  points: Point[];
  label: Label | null; // the shape of the value, beside one of its edges
}

export interface Label extends Point {
  text: string;
  anchor: "start" | "end"; // the side of the text that is at x
}

export interface Drawing {
  width: number;
  height: number;
  boxes: PlacedBox[]; // outer ones before those inside
  ports: PlacedPort[];
  edges: PlacedEdge[];
}

export interface LayoutOptions {
  unfolded: ReadonlySet<string>;
  lines?: (box: Box) => readonly number[]; // the lengths of more lines of text in a box, below its name
}

/** Place a network from top to bottom: every scope by dagre (Sugiyama's method), the insides of open boxes first. */
export function layoutTree(root: Scope, options: LayoutOptions): Drawing {
  return layoutScope(root, options, 0);
}

const PORT_KEY = { input: "‹", output: "›" } as const;

const placed = new WeakMap<Scope, { state: string; drawing: Drawing }>();

/** Place a scope, unless it has been placed as it is: folding one box leaves the insides of the others alone. */
function layoutScope(scope: Scope, options: LayoutOptions, depth: number): Drawing {
  const state = stateOf(scope, options);
  const known = placed.get(scope);
  if (known?.state === state) return known.drawing;
  const drawing = placeScope(scope, options, depth);
  placed.set(scope, { state, drawing });
  return drawing;
}

/** All on which the layout of a scope depends: what is open in it, and the lines of its boxes. */
function stateOf(scope: Scope, options: LayoutOptions): string {
  return scope.boxes
    .map((box) => {
      const lines = options.lines?.(box).join() ?? "";
      return options.unfolded.has(box.path) ? `${lines}(${box.scopes.map((inner) => stateOf(inner, options)).join("|")})` : lines;
    })
    .join(";");
}

function placeScope(scope: Scope, options: LayoutOptions, depth: number): Drawing {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 40, marginx: 8, marginy: 8, ranker: scope.boxes.length > 150 ? "longest-path" : "tight-tree" });
  graph.setDefaultEdgeLabel(() => ({}));
  const insides = new Map<string, Inside>();
  const owners = new Map<string, string>(); // the key of what gives a value, by its name
  const values = new Map<string, Partial<Value> | undefined>();
  for (const port of scope.inputs) {
    const key = `${scope.path}${PORT_KEY.input}${port.name}`;
    graph.setNode(key, { ...portSize(port) });
    owners.set(port.source, key);
    values.set(port.source, port.value);
  }
  const edges: { from: string; to: string; name: string }[] = [];
  const connect = (name: string, to: string) => {
    const from = owners.get(name) ?? owners.get(name.split(".")[0]!);
    if (from !== undefined && !edges.some((edge) => edge.from === from && edge.to === to && edge.name === name)) edges.push({ from, to, name });
  };
  for (const box of scope.boxes) {
    const inside = options.unfolded.has(box.path) && box.scopes.length ? layoutInside(box, options, depth) : null;
    if (inside) insides.set(box.path, inside);
    graph.setNode(box.path, inside ? { width: inside.width, height: inside.height } : boxSize(box, options.lines?.(box) ?? []));
    for (const name of box.reads) connect(name, box.path);
    for (const [name, value] of box.values) {
      owners.set(name, box.path);
      values.set(name, value);
    }
  }
  for (const port of scope.outputs) {
    const key = `${scope.path}${PORT_KEY.output}${port.name}`;
    graph.setNode(key, { ...portSize(port) });
    connect(port.source, key);
  }
  edges.forEach((edge, index) => graph.setEdge(edge.from, edge.to, {}, String(index)));
  dagreLayout(graph);
  return collect(scope, graph, edges, values, insides, depth);
}

/** Take dagre's places (centres) over, and put the insides of open boxes where their boxes have come to be. */
function collect(
  scope: Scope,
  graph: Graph,
  edges: { from: string; to: string; name: string }[],
  values: ReadonlyMap<string, Partial<Value> | undefined>,
  insides: ReadonlyMap<string, Inside>,
  depth: number,
): Drawing {
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const drawing: Drawing = { width: finite(width), height: finite(height), boxes: [], ports: [], edges: [] };
  const place = (key: string) => {
    const node = graph.node(key) as { x: number; y: number; width: number; height: number };
    return { key, x: node.x - node.width / 2, y: node.y - node.height / 2, width: node.width, height: node.height };
  };
  for (const box of scope.boxes) {
    const at = place(box.path);
    const inside = insides.get(box.path);
    const titles = (inside?.titles ?? []).map((title) => ({ ...title, x: title.x + at.x, y: title.y + at.y }));
    drawing.boxes.push({ ...at, box, open: inside !== undefined, depth, titles });
    if (inside) append(drawing, inside, at.x, at.y);
  }
  for (const side of ["input", "output"] as const) {
    for (const port of side === "input" ? scope.inputs : scope.outputs) {
      const owner = scope.path.split(":")[0]!;
      drawing.ports.push({ ...place(`${scope.path}${PORT_KEY[side]}${port.name}`), port, side, owner });
    }
  }
  edges.forEach(({ from, to, name }, index) => {
    const { points = [] } = graph.edge(from, to, String(index)) as { points?: Point[] };
    drawing.edges.push({ key: `${scope.path}|${from}|${to}|${name}`, from, to, name, value: values.get(name), points: ends(points, place(from), place(to)), label: null });
  });
  const ports = new Set(drawing.ports.map((port) => port.key)); // which show their shapes themselves
  drawing.width = labelEdges(drawing.edges.filter((edge) => !ports.has(edge.from) && edge.key.startsWith(`${scope.path}|`)), drawing.width);
  return drawing;
}

type Inside = Drawing & { titles: (Point & { text: string })[] };

/** The bodies of an open box side by side under its header. */
function layoutInside(box: Box, options: LayoutOptions, depth: number): Inside {
  const all: Inside = { width: FRAME.padding, height: 0, boxes: [], ports: [], edges: [], titles: [] };
  const titled = box.scopes.some((scope) => scope.title);
  const header = headerSize(box, options.lines?.(box) ?? []);
  const top = header.height + (titled ? FRAME.title : 0);
  for (const scope of box.scopes) {
    const part = layoutScope(scope, options, depth + 1);
    if (scope.title) all.titles.push({ x: all.width + 4, y: header.height + FRAME.title - 8, text: scope.title });
    append(all, part, all.width, top);
    all.width += Math.max(part.width, 8 * scope.title.length) + FRAME.padding;
    all.height = Math.max(all.height, part.height);
  }
  all.width = Math.max(all.width, header.width);
  all.height += top + FRAME.padding;
  return all;
}

function append(target: Drawing, part: Drawing, dx: number, dy: number): void {
  const shift = <T extends Point>(item: T): T => ({ ...item, x: item.x + dx, y: item.y + dy });
  for (const box of part.boxes) target.boxes.push({ ...shift(box), titles: box.titles.map(shift) });
  for (const port of part.ports) target.ports.push(shift(port));
  for (const edge of part.edges) target.edges.push({ ...edge, points: edge.points.map(shift), label: edge.label && shift(edge.label) });
}

interface Rectangle extends Point {
  width: number;
  height: number;
}

/** Let an edge begin at the lower side of a box and end at the upper side of the next. */
function ends(points: Point[], from: Rectangle, to: Rectangle): Point[] {
  const clamp = (x: number, box: Rectangle) => Math.min(Math.max(x, box.x + 12), box.x + box.width - 12);
  const inner = points.slice(1, -1);
  const start = { x: clamp(points[0]?.x ?? from.x + from.width / 2, from), y: from.y + from.height };
  const end = { x: clamp(points.at(-1)?.x ?? to.x + to.width / 2, to), y: to.y };
  return [start, ...inner.filter((point) => point.y > start.y && point.y < end.y), end];
}

const finite = (value: number): number => (Number.isFinite(value) ? value : 0);

/** An edge as an SVG path: vertical where it leaves and arrives, and where it passes between boxes. */
export function edgePath(points: Point[]): string {
  const [first, ...rest] = points;
  let path = `M${round(first!.x)} ${round(first!.y)}`;
  let before = first!;
  for (const point of rest) {
    const middle = round((before.y + point.y) / 2);
    path += `C${round(before.x)} ${middle} ${round(point.x)} ${middle} ${round(point.x)} ${round(point.y)}`;
    before = point;
  }
  return path;
}

const round = (value: number): number => Math.round(value * 10) / 10;
