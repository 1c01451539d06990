import { describe, expect, it } from "vitest";
import { flatResNet50, flatTransformer, network, node } from "./examples.test-data";
import { unfoldedAtFirst, unfoldTo, visibleFor, VISIBLE_AT_FIRST } from "./folding";
import { problemsByPath } from "./problems";
import { allBoxes, boxesTo, buildTree, type Box, type Scope } from "./tree";

const pathsOf = (scope: Scope) => [...allBoxes(scope)].filter((box) => box.node).map((box) => box.path);

/** Boxes that are visible, in this scope and in the unfolded ones inside it. */
const countVisible = (scope: Scope, unfolded: ReadonlySet<string>): number =>
  scope.boxes.reduce((sum, box) => sum + 1 + (unfolded.has(box.path) ? box.scopes.reduce((inner, each) => inner + countVisible(each, unfolded), 0) : 0), 0);

describe("groups", () => {
  it.each([["transformer", flatTransformer(25)], ["resnet", flatResNet50()]] as const)("fold a flat %s so that few boxes are seen, and lose no node", (_, flat) => {
    const root = buildTree(flat);
    expect(pathsOf(root).toSorted()).toEqual(flat.nodes.map((each) => each.id).toSorted());
    expect(countVisible(root, unfoldedAtFirst(root))).toBeLessThanOrEqual(VISIBLE_AT_FIRST);
  });

  it("tell equal parts one after the other as a number", () => {
    const root = buildTree(flatTransformer(25));
    const repeated = root.boxes.filter((box) => box.count > 1);
    expect(repeated.map((box) => box.label)).toEqual(["25 × 22 nodes"]);
    expect(repeated[0]!.scopes[0]!.boxes).toHaveLength(25);
  });

  it("read and give what their members exchange with others", () => {
    const root = buildTree(flatTransformer(25));
    const check = (scope: Scope) => {
      const known = new Set(scope.inputs.map((port) => port.source));
      for (const box of scope.boxes) {
        expect(box.reads.filter((name) => !known.has(name))).toEqual([]);
        for (const name of box.values.keys()) known.add(name);
        box.scopes.forEach(check);
      }
      expect(scope.outputs.filter((port) => !known.has(port.source))).toEqual([]);
    };
    check(root);
  });

  it("leave short networks as they are", () => {
    expect(buildTree(network([node("a", "Linear", ["x"]), node("b", "Linear", ["a"]), node("c", "Linear", ["b"])])).boxes).toHaveLength(3);
  });
});

const inner = network([node("fc", "Linear", ["x"], { pointer: "/model/blocks/Part/nodes/0" })]);
const nested = network([
  node("first", "block", ["x"], { bodies: { name: inner }, pointer: "/model/nodes/0" }),
  node("loop", "Repeat", ["first"], { bodies: { body: { ...inner, turns: 3 } }, pointer: "/model/nodes/1" }),
  node("experts", "Route", ["loop"], { bodies: { "0": { ...inner, names: ["0", "1", "2"] } }, pointer: "/model/nodes/2" }),
]);

describe("bodies", () => {
  it("have the paths of the API", () => {
    expect(pathsOf(buildTree(nested))).toEqual(["first", "first.fc", "loop", "loop.body.fc", "experts", "experts.0.fc"]);
  });

  it("tell how often they run, and how many are alike", () => {
    const [, loop, experts] = buildTree(nested).boxes as [Box, Box, Box];
    expect(loop.scopes[0]!.title).toBe("body · 3 turns");
    expect(experts.scopes[0]!.title).toBe("3 × (case 0 to 2)");
  });
});

describe("folding", () => {
  it("finds what stands for a folded node, and what must be unfolded to see it", () => {
    const root = buildTree(nested);
    expect(visibleFor(root, new Set(), "loop.body.fc")).toBe("loop");
    const unfolded = unfoldTo(root, new Set(), "loop.body.fc");
    expect([...unfolded]).toEqual(["loop"]);
    expect(visibleFor(root, unfolded, "loop.body.fc")).toBe("loop.body.fc");
    expect(boxesTo(root, "nothing")).toEqual([]);
  });
});

describe("problems", () => {
  const problem = (pointer: string) => ({ pointer, code: "shape", detail: "", hint: "" });

  it("are at the innermost node of their pointer, of a block at all its uses", () => {
    const found = problemsByPath(buildTree(nested), [problem("/model/nodes/1/times"), problem("/model/blocks/Part/nodes/0/out_features"), problem("/training/epochs")]);
    expect([...found.keys()]).toEqual(["first.fc", "loop", "loop.body.fc", "experts.0.fc"]);
  });

  it("of the tenth node are not those of the first", () => {
    expect(problemsByPath(buildTree(nested), [problem("/model/nodes/10")]).size).toBe(0);
  });
});
