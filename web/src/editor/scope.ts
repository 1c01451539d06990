import type { JSONPath } from "jsonc-parser";
import type { JsonSchema } from "./schemas";
import { valueOf, type Node } from "./text";

const IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]{0,63}"; // how the patterns of names of nodes begin
const OWN_NAMES = ["id", "name"]; // fields that give a name instead of using one

/** The names of nodes, inputs and blocks that can be used at a path, the nearest first; none where no name is used. */
export function namesInScope(root: Node | undefined, path: JSONPath, schemas: readonly JsonSchema[], columns: readonly string[]): string[] {
  const field = path.findLast((segment) => typeof segment === "string");
  if (!schemas.some((schema) => schema.pattern?.startsWith(IDENTIFIER)) || OWN_NAMES.includes(String(field))) return [];
  const bodies: Node[] = [];
  let node = root;
  for (const segment of path) {
    node = node?.type === "array" ? node.children?.[Number(segment)] : valueOf(node, String(segment));
    if (node && (valueOf(node, "nodes") || valueOf(node, "layers"))) bodies.push(node);
  }
  const body = bodies.at(-1);
  const blocks = valueOf(valueOf(root, "model"), "blocks")?.children?.map((each) => each.children![0]!.value as string) ?? [];
  const usesBlock = ["body", "then", "else", "blocks", "name", "use"].includes(String(field)) || field === "block";
  const nodes = body ? [...textsOf(valueOf(body, "inputs")), ...idsOf(body)] : [];
  const inputs = body === bodies[0] || !body ? columns : [];
  return [...new Set(usesBlock ? [...blocks, ...nodes] : [...nodes, ...inputs])];
}

const idsOf = (body: Node): string[] =>
  [...(valueOf(body, "nodes")?.children ?? []), ...(valueOf(body, "layers")?.children ?? [])]
    .map((each) => valueOf(each, "id")?.value as unknown)
    .filter((id): id is string => typeof id === "string");

const textsOf = (node: Node | undefined): string[] =>
  (node?.type === "array" ? (node.children ?? []) : node ? [node] : []).map((each) => each.value as unknown).filter((value): value is string => typeof value === "string");
