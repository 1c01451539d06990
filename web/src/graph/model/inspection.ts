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

/** The path of a node inside another: the body of a block's use has no name in it. */
export const innerPath = (owner: { path: string; kind: string }, body: string, id: string): string =>
  owner.kind === "block" ? `${owner.path}.${id}` : `${owner.path}.${body}.${id}`;
