
type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

/** The value at a JSON Pointer. */
export function atPointer(document: unknown, pointer: string): unknown {
  let value = document;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(value)) value = value[Number(name)];
    else value = isObject(value) ? value[name] : undefined;
  }
  return value;
}

const STRUCTURE = new Set(["id", "kind", "inputs", "body", "condition", "then", "else", "cases", "leaf", "node", "nodes", "layers"]);

/** The settings of a node as they are written: all but its wiring and its bodies. */
export function settingsOf(document: unknown, pointer: string): [string, unknown][] {
  const node = atPointer(document, pointer);
  return isObject(node) ? Object.entries(node).filter(([name, value]) => !STRUCTURE.has(name) || typeof value === "string" && !["id", "kind", "inputs"].includes(name)) : [];
}

/** Whether the plan freezes a node, its owner, or some of its parameters. */
export function frozenState(document: unknown, path: string, weights: readonly string[]): "all" | "some" | null {
  const training = isObject(document) ? document["training"] : undefined;
  const groups = isObject(training) && Array.isArray(training["groups"]) ? (training["groups"] as unknown[]) : [];
  let some = false;
  for (const group of groups) {
    if (!isObject(group) || group["frozen"] !== true) continue;
    const nodes = group["nodes"];
    const paths = typeof nodes === "string" ? [nodes] : Array.isArray(nodes) ? nodes.map(String) : [];
    const whole = paths.some((each) => path === each || path.startsWith(`${each}.`));
    if (whole && (group["parameters"] ?? "all") === "all") return "all";
    const own = weights.map((name) => `${path}.${name}`);
    some ||= whole || paths.some((each) => own.includes(each) || each.startsWith(`${path}.`));
  }
  return some ? "some" : null;
}

