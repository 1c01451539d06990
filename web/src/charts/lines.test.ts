import { describe, expect, it } from "vitest";
import { bestRow, extentOf, rowAt, traceBand, traceLine, unplaced, visibleRange, visibleRows, type Columns, type Frame, type Line } from "./lines";
import { LINEAR, scaleFor } from "./scales";

const columns = (last: number[], min = last, max = last, x = last.map((_, i) => i)): Columns => ({ x, step: x, min, max, last });
const line = (c: Columns, better: Line["better"] = "low"): Line => ({ id: "a", label: "a", color: "#000", dashed: false, columns: c, smooth: null, width: 1, better });
const frame: Frame = { toX: (x) => x, toY: (y) => y, xScale: LINEAR, yScale: LINEAR };
const LOG = scaleFor("log", 1);

function drawn(c: Columns, spikes = false, by = frame) {
  const path: string[] = [];
  const dots: string[] = [];
  const sink = { moveTo: (x: number, y: number) => path.push(`M${x},${y}`), lineTo: (x: number, y: number) => path.push(`L${x},${y}`) };
  traceLine(c, [0, c.x.length], by, sink, spikes, (x, y) => dots.push(`${x},${y}`));
  return { path: path.join(" "), dots };
}

describe("a line", () => {
  it("goes through its points", () => expect(drawn(columns([1, 3, 2])).path).toBe("M0,1 L1,3 L2,2"));
  it("is a dot where a point is alone", () => expect(drawn(columns([1, NaN, 2])).dots).toEqual(["0,1", "2,2"]));
  it("is a dot for one point", () => expect(drawn(columns([7]))).toEqual({ path: "M0,7", dots: ["0,7"] }));
  it("has a gap at what is no number", () => expect(drawn(columns([1, 2, Infinity, 3, 4])).path).toBe("M0,1 L1,2 M3,3 L4,4"));
  it("leaves out no spike", () => expect(drawn(columns([1, 1], [1, 0], [1, 9]), true).path).toBe("M0,1 L1,0 L1,9 L1,1"));
  it("has a gap at zero on a logarithmic axis", () => expect(drawn(columns([1, 0, 2, 3]), false, { ...frame, yScale: LOG }).path).toBe("M0,1 M2,2 L3,3"));
});

it("traces a band around, and to the floor where the least value has no place", () => {
  const path: string[] = [];
  const sink = { moveTo: (x: number, y: number) => path.push(`M${x},${y}`), lineTo: (x: number, y: number) => path.push(`L${x},${y}`) };
  traceBand(columns([1, 2], [-1, 1], [3, 4]), [0, 2], { ...frame, yScale: LOG }, sink, 99);
  expect(path.join(" ")).toBe("M0,3 L1,4 L1,1 L0,99");
});

it("shows one row more at each side of a range", () => expect(visibleRows(columns([0, 1, 2, 3, 4, 5]), 2, 3)).toEqual([1, 5]));

it("has room for the spikes of what is seen, and not for the rest", () => {
  const spiky = line(columns([1, 1, 1, 1], [1, 1, 0, 1], [1, 5, 1, 100]));
  expect(visibleRange([spiky], 0, 2, LINEAR)).toEqual([0, 5.25]);
});

it("tells what has no place", () => {
  expect(unplaced(line(columns([1, NaN, -2, Infinity])), LINEAR).map(({ what }) => what)).toEqual(["NaN", "∞"]);
  expect(unplaced(line({ ...columns([1, 2, Infinity]), nan: [0, 3, 0] }), LINEAR).map(({ x, what, count }) => [x, what, count])).toEqual([[1, "NaN", 3], [2, "∞", 1]]);
  expect(unplaced(line(columns([1, NaN, -2])), LOG).map(({ what }) => what)).toEqual(["NaN", "≤ 0"]);
});

it("finds the best value, also within a bucket", () => {
  expect(bestRow(line(columns([3, 2, 4], [3, 2, 1]), "low"))).toBe(2);
  expect(bestRow(line(columns([3, NaN, 4]), "high"))).toBe(2);
  expect(bestRow(line(columns([NaN]), "low"))).toBe(-1);
});

it("finds the row nearest to a place", () => {
  const c = columns([1, 2, 3], undefined, undefined, [0, 10, 20]);
  expect([-5, 4, 6, 10, 99].map((x) => rowAt(c, x))).toEqual([0, 0, 1, 1, 2]);
  expect(rowAt(columns([]), 3)).toBe(-1);
});

it("has the extent of all lines, without what a logarithmic axis leaves out", () => {
  expect(extentOf([line(columns([1, 2, 3])), line(columns([1], undefined, undefined, [9]))], LINEAR)).toEqual([0, 9]);
  expect(extentOf([line(columns([1, 2, 3]))], LOG)).toEqual([1, 2]);
});
