import { familyOf, type Family } from "./families";
import { groupBoxes } from "./groups";
import { innerPaths, type InspectedNetwork, type InspectedNode, type Value } from "./inspection";

/** What is drawn as one box: a node, or a group that the drawing makes of many nodes. */
export interface Box {
  path: string; // as the API writes it, "tree.leaf.state"; of a group, one that no node has
  paths: string[]; // of all nodes that it stands for: its own, and those in bodies that are alike
  label: string; // the kind, or what the group holds
  name: string; // the node's id, or the group's range
  family: Family;
  node: InspectedNode | null; // null: a group
  reads: string[]; // names of values in its scope
  values: Map<string, Partial<Value>>; // what it gives to others, by name
  scopes: Scope[]; // what is inside
  parameters: number;
  count: number; // of equal parts: 1 but for repeated ones
}

/** The inside of a box: a body of a block or of control flow, or the members of a group. */
export interface Scope {
  path: string;
  title: string; // "then", "cases 0 to 3"; "" where there is one body alone
  inputs: Port[];
  boxes: Box[];
  outputs: Port[];
}

/** Where a value comes into a scope, or leaves it. */
export interface Port {
  name: string;
  source: string; // the name of the value inside: its own name for an input
  value: Partial<Value> | undefined;
}

/** Below this many boxes in one scope nothing is grouped. */
export const GROUP_ABOVE = 36;

/** The drawing's tree of a network: bodies inside their nodes, long stretches of nodes in groups. */
export function buildTree(network: InspectedNetwork): Scope {
  return scopeOf(network, "", "", (id) => [id]);
}

function scopeOf(network: InspectedNetwork, path: string, title: string, pathsOf: (id: string) => string[]): Scope {
  const boxes = network.nodes.map((node) => boxOf(node, pathsOf(node.id)));
  const inputs = Object.entries(network.inputs).map(([name, value]) => ({ name, source: name, value }));
  const outputs = Object.entries(network.outputs).map(([name, { node, ...value }]) => ({ name, source: node, value }));
  const keep = new Set(outputs.map((port) => port.source));
  return { path, title, inputs, boxes: boxes.length > GROUP_ABOVE ? groupBoxes(boxes, keep, inputs) : boxes, outputs };
}

function boxOf(node: InspectedNode, paths: string[]): Box {
  const path = paths[0]!;
  const values = new Map<string, Partial<Value>>([[node.id, node.output ?? {}]]);
  for (const [name, value] of Object.entries(node.outputs ?? {})) values.set(`${node.id}.${name}`, value);
  const owner = { paths, kind: node.kind };
  const scopes = Object.entries(node.bodies ?? {}).map(([name, body]) => {
    const names = body.names ?? [name];
    return scopeOf(body, `${path}:${name}`, titleOf(node, name, names, body.turns), (id) => innerPaths(owner, names, id));
  });
  const family = familyOf(node);
  return { path, paths, label: node.kind, name: node.id, family, node, reads: node.inputs, values, scopes, parameters: node.parameters ?? 0, count: 1 };
}

function titleOf(node: InspectedNode, name: string, names: string[], turns: number | undefined): string {
  const label = /^\d+$/.test(name) ? (node.kind === "Repeat" ? `turn ${name}` : `case ${name}`) : name;
  const times = turns !== undefined && turns > 1 ? ` · ${turns} turns` : "";
  if (node.kind === "block") return "";
  return names.length > 1 ? `${names.length} × (${label} to ${names.at(-1)})${times}` : label + times;
}

/** Every box of a tree, those inside others after them. */
export function* allBoxes(scope: Scope): Generator<Box> {
  for (const box of scope.boxes) {
    yield box;
    for (const inner of box.scopes) yield* allBoxes(inner);
  }
}

/** The boxes that lead to a path, outermost first; empty if there is none. */
export function boxesTo(scope: Scope, path: string): Box[] {
  for (const box of scope.boxes) {
    if (box.path === path) return [box];
    for (const inner of box.scopes) {
      const rest = boxesTo(inner, path);
      if (rest.length) return [box, ...rest];
    }
  }
  return [];
}
