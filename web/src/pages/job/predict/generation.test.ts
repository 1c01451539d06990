import { expect, it } from "vitest";
import { generatedColumn, generateOf, tokenText } from "./generation";

const features = { reply: { kind: "text", column: "answer", next: true } };

it("finds the texts that the network goes on with", () => {
  const scan = { model: { nodes: [{ id: "w", kind: "Scan", over: "reply", carry: "h", generate: { method: { kind: "beam", beams: 3 } } }] }, data: { features } };
  expect(generatedColumn(scan)).toEqual({ column: "answer", method: "beam" });
  const block = { model: { inputs: ["reply"], nodes: [{ id: "w", kind: "block", name: "B", inputs: ["reply"], generate: {} }] }, data: { features } };
  expect(generatedColumn(block)).toEqual({ column: "answer", method: "greedy" });
  expect(generatedColumn({ model: { layers: [{ kind: "block", name: "B", generate: { method: "sample" } }], inputs: ["reply"] }, data: { features } })).toEqual({ column: "answer", method: "sample" });
  expect(generatedColumn({ model: { nodes: [{ id: "w", kind: "Scan", over: "reply", generate: null }] } })).toBeNull();
  expect(generatedColumn({ model: { layers: ["ReLU"] } })).toBeNull();
});

it("sends what was entered, and leaves the rest to the job", () => {
  expect(generateOf({ method: "", numbers: {} })).toEqual({ generate: {} });
  expect(generateOf({ method: "sample", numbers: { temperature: "0.7", seed: "4", top_k: "5", beams: "3", max_length: "20" } }))
    .toEqual({ generate: { method: { kind: "sample", temperature: 0.7, top_k: 5 }, max_length: 20 }, seed: 4 });
  expect(generateOf({ method: "greedy", numbers: { temperature: "1", seed: "2" } })).toEqual({ generate: { method: { kind: "greedy" } } });
  expect(generateOf({ method: "beam", numbers: { beams: "many" } })).toEqual({ generate: { method: { kind: "beam", beams: "many" } } });
});

it("shows blanks and ends of lines", () => {
  expect(tokenText(" a\n")).toBe("␣a⏎");
});
