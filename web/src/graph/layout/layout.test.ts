import { describe, expect, it } from "vitest";
import { flatResNet50, flatTransformer, network, node } from "../model/examples.test-data";
import { unfoldedAtFirst } from "../model/folding";
import { allBoxes, buildTree, type Scope } from "../model/tree";
import { layoutTree, type Drawing } from "./layout";
import { neighbour } from "./neighbours";

const everything = (root: Scope) => new Set([...allBoxes(root)].map((box) => box.path));
const inner = network([node("fc", "Linear", ["x"]), node("act", "ReLU", ["fc"])]);
const nested = buildTree(network([node("a", "Linear", ["x"]), node("b", "block", ["a"], { bodies: { name: inner } }), node("c", "add", ["a", "b"])]));
const drawn = layoutTree(nested, { unfolded: new Set(["b"]) });

function overlaps(drawing: Drawing): string[] {
  const closed = [...drawing.boxes.filter((box) => !box.open), ...drawing.ports];
  return closed.flatMap((a, index) =>
    closed.slice(index + 1).filter((b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height).map((b) => `${a.key} ${b.key}`),
  );
}

describe("the layout", () => {
  it.each([
    ["nested", nested], ["resnet", buildTree(flatResNet50())], ["transformer", buildTree(flatTransformer(6))],
  ] as const)("places no box of a %s on another, folded or not", (_, root) => {
    for (const unfolded of [new Set<string>(), unfoldedAtFirst(root), everything(root)]) {
      const drawing = layoutTree(root, { unfolded });
      expect(overlaps(drawing)).toEqual([]);
      for (const { x, y, width, height } of drawing.boxes) {
        expect(x >= 0 && y >= 0 && x + width <= drawing.width && y + height <= drawing.height).toBe(true);
      }
    }
  });

  it("lets edges go down, from box to box", () => {
    for (const edge of drawn.edges) {
      const ys = edge.points.map((point) => point.y);
      expect(ys).toEqual(ys.toSorted((a, b) => a - b));
    }
    expect(drawn.edges.map((edge) => edge.name).toSorted()).toEqual(["a", "a", "act", "b", "c", "fc", "x", "x"].toSorted());
  });

  it("shows the shape of every value once", () => {
    const root = drawn.edges.filter((edge) => edge.name === "a");
    expect(root.filter((edge) => edge.label)).toHaveLength(1);
  });
});

describe("arrow keys", () => {
  const follow = (from: string, ...directions: ("up" | "down" | "left" | "right")[]) => directions.reduce<string | undefined>((key, direction) => key && neighbour(drawn, key, direction), from);

  it("follow edges", () => {
    expect(follow("a", "up")).toBe("‹x");
    expect(follow("c", "down")).toBe("›y");
    expect(follow("›y", "down")).toBeUndefined();
  });

  it("go into an open block and out of it again", () => {
    expect(follow("b", "down", "down", "down")).toBe("b.act");
    expect(follow("b", "down", "down", "down", "down", "down")).toBe("c");
    expect(follow("b.fc", "up", "up")).toBe("b");
  });
});
