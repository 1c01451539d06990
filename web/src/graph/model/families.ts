/** What a node is for: tells its outline and its colour. */
export type Family = "weights" | "norm" | "activation" | "pool" | "reshape" | "combine" | "source" | "block" | "control" | "loss" | "other";

export const FAMILY_LABELS: Record<Family, string> = {
  weights: "Layer with weights",
  norm: "Normalisation, dropout",
  activation: "Activation",
  pool: "Pooling, sampling",
  reshape: "Change of shape",
  combine: "Arithmetic of values",
  source: "Value without input",
  block: "Block or group",
  control: "Control flow",
  loss: "Loss",
  other: "Operation",
};

const CONTROL = new Set(["If", "Route", "Repeat", "While", "Scan", "Fold", "Recurse", "Trees"]);
const COMBINE = new Set(["add", "sub", "mul", "div", "matmul", "bmm", "einsum", "cat", "stack", "where", "maximum", "minimum", "dot", "outer", "addmm", "lerp"]);

// The first pattern that fits a kind names its family.
const PATTERNS: readonly [RegExp, Family][] = [
  [/Loss$/, "loss"],
  [/Norm|Dropout|^(dropout|stop_gradient)$/, "norm"],
  [/Pool|Upsample|interpolate|^(amax|amin|mean|max|min|sum|argmax|argmin|topk|logsumexp|PixelShuffle|PixelUnshuffle)$/i, "pool"],
  [/^(Flatten|Unflatten|Fold|Unfold|Identity|squeeze|unsqueeze|reshape|view|permute|transpose|flatten|narrow|select|chunk|split|expand|repeat|tile|flip|roll|pad|to|gather|index_select|one_hot|.*Pad\dd)$/, "reshape"],
  [/^(Parameter|Constant|Training|Buffer|zeros|ones|full|arange|eye|rand|randn|linspace)/, "source"],
  [/ELU|Swish|SiLU|Tanh|Sigmoid|softmax|softplus|softsign|GLU|Mish|threshold|relu|hardtanh/i, "activation"],
];

export function familyOf(node: { kind: string; inputs: readonly string[]; parameters?: number; bodies?: object }): Family {
  if (node.kind === "block") return "block";
  if (CONTROL.has(node.kind) && (node.bodies || node.kind !== "Fold")) return "control";
  if (COMBINE.has(node.kind)) return "combine";
  const match = PATTERNS.find(([pattern]) => pattern.test(node.kind));
  if (match) return match[1];
  if (node.parameters) return "weights";
  return node.inputs.length ? "other" : "source";
}
