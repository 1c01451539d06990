import { expect, it } from "vitest";
import { curlSnippet, pythonSnippet } from "./snippets";

it("quotes for a shell", () => {
  expect(curlSnippet("job_1", { rows: [{ name: "it's <b>" }] })).toContain(`--json '{"rows":[{"name":"it'\\''s <b>"}]}'`);
});

it("names the count of samples", () => {
  expect(pythonSnippet("job_1", { count: 16, seed: 0, outputs: ["image"] })).toContain('job.predict(count=16, seed=0, outputs=["image"])');
});

it("writes Python, and shortens pictures", () => {
  const text = pythonSnippet("job_1", { rows: [{ a: null, b: true, c: [1, "x"], d: "A".repeat(500) }], top: 3 });
  expect(text).toContain(`job.predict([{"a": None, "b": True, "c": [1, "x"], "d": "${"A".repeat(24)}… (the file in base64)"}], top=3)`);
});
