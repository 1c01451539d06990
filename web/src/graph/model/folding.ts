import { boxesTo, type Box, type Scope } from "./tree";

/** As many boxes are visible at first. */
export const VISIBLE_AT_FIRST = 60;

/** The paths of boxes that are unfolded at first: from the outside in, as long as that leaves few boxes to look at. */
export function unfoldedAtFirst(root: Scope, limit = VISIBLE_AT_FIRST): Set<string> {
  const unfolded = new Set<string>();
  let visible = root.boxes.length;
  let level = root.boxes;
  while (level.length) {
    const next: Box[] = [];
    for (const box of level) {
      const inside = box.scopes.flatMap((scope) => scope.boxes);
      if (!inside.length || visible + inside.length > limit || box.count > 1) continue;
      unfolded.add(box.path);
      visible += inside.length;
      next.push(...inside);
    }
    level = next;
  }
  return unfolded;
}

/** A set in which every box around a path is unfolded, so that it can be seen. */
export function unfoldTo(root: Scope, unfolded: ReadonlySet<string>, path: string): Set<string> {
  return new Set([...unfolded, ...boxesTo(root, path).slice(0, -1).map((box) => box.path)]);
}

/** The box that stands for a path: its own, or the folded one around it. */
export function visibleFor(root: Scope, unfolded: ReadonlySet<string>, path: string): string | undefined {
  const boxes = boxesTo(root, path);
  return (boxes.find((box) => !unfolded.has(box.path)) ?? boxes.at(-1))?.path;
}
