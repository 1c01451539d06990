/** A network as the API inspects it; of a network with problems, what could be inferred. */
export interface InspectedNetwork {
  inputs: Record<string, Value>;
  nodes: InspectedNode[]; // in the order in which they are computed
  outputs: Record<string, Partial<Value> & { node: string }>;
  totals?: Record<string, number>;
  memory?: Record<string, number> | null;
}

export interface InspectedNode {
  id: string;
  kind: string;
  pointer: string; // into the document: /model/nodes/3
  inputs: string[]; // names of values: a node, one of its outputs ("scan.h"), or an input of the network
  output?: Value;
  outputs?: Record<string, Value>;
  parameters?: number;
  buffers?: number;
  flops?: number; // of one example
  weights?: Record<string, number[]>; // the shapes of its parameters by name
  bodies?: Record<string, InspectedBody>;
}

export interface InspectedBody extends InspectedNetwork {
  turns?: number; // how often it runs in one pass, where that is known
  names?: string[]; // all bodies that are this network, each with parameters of its own
}

export interface Value {
  shape: (number | string)[]; // "N" is the batch
  dtype: string;
}

export const formatShape = (value: Partial<Value> | undefined): string =>
  value?.shape === undefined ? "?" : value.shape.length ? value.shape.join(" × ") : "scalar";

/** The paths of a node inside another, in each of the bodies that are alike. A block's body has no name in them. */
export function innerPaths(owner: { paths: readonly string[]; kind: string }, bodies: readonly string[], id: string): string[] {
  if (owner.kind === "block") return owner.paths.map((path) => `${path}.${id}`);
  return owner.paths.flatMap((path) => bodies.map((body) => `${path}.${body}.${id}`)).slice(0, MAX_PATHS);
}

const MAX_PATHS = 256;
