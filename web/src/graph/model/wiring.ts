import type { InspectedBody, InspectedNetwork, InspectedNode } from "./inspection";

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const MAX_DEPTH = 12; // blocks in blocks: one that uses itself is an error that the API reports

// As app/spec/network/control.py: the fields in which a kind names other nodes, and those that hold bodies.
const REFERENCES: Record<string, readonly string[]> = {
  If: ["predicate"], Route: ["selector", "predicate"], Repeat: ["times"], Scan: ["carry", "over", "lengths"], Fold: ["over", "children", "cell"],
};
const BODIES: Record<string, readonly string[]> = {
  block: ["name"], If: ["then", "else"], Route: ["else", "then", "cases"], Repeat: ["body"], While: ["body", "condition"], Scan: ["body"], Fold: ["leaf", "node", "cases"],
};

/**
 * The network of a spec as far as it is written: nodes, bodies and edges, without shapes. For a spec that cannot be
 * inspected; what is not understood is left out. `known` is a partial inspection, from which shapes are taken.
 */
export function networkOfSpec(model: unknown, known?: InspectedNetwork | null): InspectedNetwork {
  if (!isObject(model)) return { inputs: {}, nodes: [], outputs: {} };
  const blocks = isObject(model["blocks"]) ? model["blocks"] : {};
  return bodyOf(model, { blocks, pointer: "/model", depth: 0 }, known ?? undefined);
}

interface Context {
  blocks: Json;
  pointer: string;
  depth: number;
}

function bodyOf(body: Json, context: Context, known?: InspectedNetwork): InspectedNetwork {
  const form = Array.isArray(body["layers"]) ? "layers" : "nodes";
  const written = Array.isArray(body[form]) ? (body[form] as unknown[]) : [];
  const counts = new Map<string, number>();
  const declared = names(body["inputs"]);
  let before = declared[0] ?? Object.keys(known?.inputs ?? {})[0] ?? "input";
  const nodes = written.map((item, index) => {
    const fields: Json = typeof item === "string" ? { kind: item } : isObject(item) ? item : {};
    const kind = typeof fields["kind"] === "string" ? fields["kind"] : "?";
    counts.set(kind.toLowerCase(), (counts.get(kind.toLowerCase()) ?? 0) + 1);
    const implicit = form === "layers" ? `${kind.toLowerCase()}${counts.get(kind.toLowerCase())}` : `${index}`;
    const id = typeof fields["id"] === "string" ? fields["id"] : implicit;
    const inputs = form === "layers" ? [before] : referencesOf(kind, fields);
    before = id;
    return nodeOf({ id, kind, inputs, fields }, { ...context, pointer: `${context.pointer}/${form}/${index}` }, known);
  });
  return { inputs: inputsOf(declared, nodes, known), nodes, outputs: outputsOf(body["outputs"], nodes, known) };
}

interface Written {
  id: string;
  kind: string;
  inputs: string[];
  fields: Json;
}

function nodeOf({ id, kind, inputs, fields }: Written, context: Context, known?: InspectedNetwork): InspectedNode {
  const inspected = known?.nodes.find((node) => node.id === id && node.pointer === context.pointer);
  const bodies: Record<string, InspectedBody> = {};
  const uses = new Map<string, string[]>(); // of one block by several bodies of the node, which are drawn once
  for (const field of context.depth < MAX_DEPTH ? (BODIES[kind] ?? []) : []) {
    const value = fields[field];
    const list = Array.isArray(value) ? value.map((each, place) => [String(place), `${field}/${place}`, each] as const) : [[field, field, value] as const];
    for (const [name, place, each] of list) {
      const named = typeof each === "string";
      const used = named ? uses.get(each) : undefined;
      if (used) {
        used.push(name);
        continue;
      }
      const body = named ? context.blocks[each] : each;
      if (!isObject(body)) continue;
      const pointer = named ? `/model/blocks/${each}` : `${context.pointer}/${place}`;
      const names = [name];
      if (named) uses.set(each, names);
      bodies[name] = { ...inspected?.bodies?.[name], names, ...bodyOf(body, { ...context, pointer, depth: context.depth + 1 }, inspected?.bodies?.[name]) };
    }
  }
  const wired = { id, kind, pointer: context.pointer, inputs, ...(Object.keys(bodies).length ? { bodies } : {}) };
  return inspected ? { ...inspected, ...wired } : wired;
}

const referencesOf = (kind: string, fields: Json): string[] => [...(REFERENCES[kind] ?? []), "inputs"].flatMap((field) => names(fields[field]));

const names = (value: unknown): string[] =>
  typeof value === "string" ? [value] : Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];

/** The inputs that are declared or known, or else all names that no node has. */
function inputsOf(declared: string[], nodes: InspectedNode[], known?: InspectedNetwork): InspectedNetwork["inputs"] {
  const own = new Set(nodes.map((node) => node.id));
  const read = nodes.flatMap((node) => node.inputs).map((name) => name.split(".")[0]!);
  const all = [...declared, ...Object.keys(known?.inputs ?? {})];
  const found = all.length ? all : read.filter((name) => !own.has(name));
  return Object.fromEntries([...new Set(found)].map((name) => [name, known?.inputs[name] ?? ({} as InspectedNetwork["inputs"][string])]));
}

function outputsOf(written: unknown, nodes: InspectedNode[], known?: InspectedNetwork): InspectedNetwork["outputs"] {
  const last = nodes.at(-1);
  const sources = isObject(written) ? written : last ? { output: last.id } : {};
  const outputs = Object.entries(sources).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(outputs.map(([name, node]) => [name, { ...known?.outputs[name], node }]));
}
