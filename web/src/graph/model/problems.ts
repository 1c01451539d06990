import { allBoxes, type Scope } from "./tree";

export interface NodeProblem {
  pointer: string;
  code: string;
  detail: string;
  hint: string;
}

/** Problems by the path of the node at whose place in the document they are. A block's node has those of all its uses. */
export function problemsByPath(root: Scope, problems: readonly NodeProblem[]): Map<string, NodeProblem[]> {
  const found = new Map<string, NodeProblem[]>();
  if (!problems.length) return found;
  for (const box of allBoxes(root)) {
    if (!box.node) continue;
    const { pointer } = box.node;
    const own = problems.filter((problem) => problem.pointer === pointer || problem.pointer.startsWith(`${pointer}/`));
    const deeper = [...allBoxes({ ...root, boxes: box.scopes.flatMap((scope) => scope.boxes) })];
    const ofNode = own.filter((problem) => !deeper.some((inner) => inner.node && problem.pointer.startsWith(`${inner.node.pointer}`)));
    if (ofNode.length) found.set(box.path, ofNode);
  }
  return found;
}
