import { expect, it } from "vitest";
import { EXAMPLES } from "./examples";
import { loadSource, readSource, sourceKey } from "./source";

it.each([
  ["", { kind: "empty" }, "empty"],
  ["from=job_1", { kind: "copy", job: "job_1" }, "copy:job_1"],
  ["fork=job_1&checkpoint=ckpt_2", { kind: "fork", job: "job_1", checkpoint: "ckpt_2", step: null }, "fork:job_1:ckpt_2"],
  ["fork=job_1&step=7", { kind: "fork", job: "job_1", checkpoint: null, step: 7 }, "fork:job_1:7"],
  ["fork=job_1&step=x", { kind: "fork", job: "job_1", checkpoint: null, step: null }, "fork:job_1"],
  ["example=digits-cnn", { kind: "example", name: "digits-cnn" }, "example:digits-cnn"],
  ["dataset=ds_1&target=a%20b", { kind: "proposal", dataset: "ds_1", target: "a b" }, "proposal:ds_1:a b"],
])("reads the source of ?%s", (query, source, key) => {
  expect(readSource(new URLSearchParams(query))).toEqual(source);
  expect(sourceKey(readSource(new URLSearchParams(query)))).toBe(key);
});

it.each(EXAMPLES)("loads the example $name, which is a job on data or environments that ship with the service", async ({ name }) => {
  const { text } = await loadSource({ kind: "example", name }, new AbortController().signal);
  const spec = JSON.parse(text) as { data: { kind: string }; model: object; objective: object };
  expect(["builtin", "environment"]).toContain(spec.data.kind);
  expect(spec).toHaveProperty("model");
  expect(spec).toHaveProperty("objective");
});

it("refuses an example that there is not", () =>
  expect(loadSource({ kind: "example", name: "x" }, new AbortController().signal)).rejects.toThrow('no example "x"'));
