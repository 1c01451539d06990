// @vitest-environment jsdom
import { expect, it } from "vitest";
import { chartSvg } from "./svg";
import type { ChartContent } from "./paint";
import { LINEAR } from "./scales";

const column = [1, 2, NaN, 4];
const content: ChartContent = {
  label: `<script>alert("x")</script>`, axis: "number", xTitle: "Step", xScale: LINEAR, yScale: LINEAR, range: [0, 3],
  lines: [{ id: "a", label: "a & b", color: "--series-1", dashed: true, columns: { x: [0, 1, 2, 3], step: [0, 1, 2, 3], min: column, max: column, last: column }, smooth: null, width: 1, better: "low" }],
  marks: [{ x: 1, kind: "edit", label: "Edit 1" }], pins: [2], band: true, trimmed: false,
};

it("is a document in which text is text, and nothing runs", () => {
  const text = chartSvg(content, 600, 300, (name) => (name === "--series-1" ? "#0072b2" : "#888888"));
  const document = new DOMParser().parseFromString(text, "image/svg+xml");
  expect(document.querySelector("parsererror")).toBeNull();
  expect(document.querySelector("script")).toBeNull();
  expect([...document.querySelectorAll("text")].map((node) => node.textContent)).toEqual(expect.arrayContaining([content.label, "a & b", "Step", "E", "✕"]));
  const lines = [...document.querySelectorAll('path[stroke="#0072b2"]')].map((node) => node.getAttribute("d"));
  expect(lines[0]).toMatch(/^M74 [\d.]+L242.67 [\d.]+M580 [\d.]+$/);
});
