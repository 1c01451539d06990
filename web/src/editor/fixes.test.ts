import { applyEdits } from "jsonc-parser";
import { expect, it } from "vitest";
import { fixesOf } from "./fixes";
import { parseText } from "./text";

const fixed = (text: string, pointer: string, hint: string, code = "invalid_value") =>
  fixesOf(text, parseText(text).root!, { pointer, hint, code, detail: "" }).map((fix) => [fix.label, applyEdits(text, fix.edits)]);

it.each([
  ['{"a":["Flaten"]}', "/a/0", 'did you mean "Flatten" or "flatten"?', "unknown_kind", ['{"a":["Flatten"]}', '{"a":["flatten"]}']],
  ['{"a":{"kind":"adam"}}', "/a", 'did you mean "Adam"?', "unknown_kind", ['{"a":{"kind":"Adam"}}']],
  ['{"a":{"kind":"adam"}}', "/a/kind", 'did you mean "Adam"?', "unknown_kind", ['{"a":{"kind":"Adam"}}']],
  ['{"a":"acc"}', "/a/0", 'did you mean "accuracy"?', "unknown_value", ['{"a":"accuracy"}']],
  ['{"learning_rate":1}', "/learning_rate", 'did you mean "lr"?', "unknown_field", ['{"lr":1}']],
  ['{"epochs":"5"}', "/epochs", "use 5", "invalid_value", ['{"epochs":5}']],
  ['{"n":2.5}', "/n", "use 2 or 3", "invalid_value", ['{"n":2}', '{"n":3}']],
  ['{"l":"Linear"}', "/l", 'use {"kind": "Linear", "bias": false}', "missing", ['{"l":{"kind":"Linear","bias":false}}']],
  ['{"units":3}', "/out_features", 'rename "units" to "out_features"', "missing", ['{"out_features":3}']],
  ['{"a":1}', "/id", 'add "id": "x"', "missing", ['{"a":1,"id":"x"}']],
  ['{"kind":"L","in_features":63}', "/in_features", "set in_features to 64, or leave it out", "shape", ['{"kind":"L","in_features":64}', '{"kind":"L"}']],
  ['{"a":{"b":1,"c":2}}', "/a/b", "remove it", "unknown_field", ['{"a":{"c":2}}']],
  ['{"a":{"b":1,"c":2}}', "/a/b", "remove it: /b is there", "unknown_field", ['{"a":{"c":2}}']],
  ['{"t":{"epochs":1,"steps":2}}', "/t", "remove epochs or steps", "contradiction", ['{"t":{"steps":2}}', '{"t":{"epochs":1}}']],
  ['{"d":{"batch_size":4},"training":{"epochs":1}}', "/d/batch_size", "move it to /training", "unknown_field", ['{"d":{},"training":{"epochs":1,"batch_size":4}}']],
  ['{"d":{"batch_size":4}}', "/d/batch_size", "move it to /training", "unknown_field", ['{"d":{},"training":{"batch_size":4}}']],
])("mends %s at %s: %s", (text, pointer, hint, code, results) =>
  expect(fixed(text, pointer, hint, code).map(([, result]) => (JSON.stringify(JSON.parse(result!))))).toEqual(results));

it.each([
  "use a whole number", 'use {"kind": "Linear", "out_features": …}', "one of: x, a", "make the fractions smaller", "use at most 1",
  "remove it, and insert \"ReLU\" behind the layer", "remove it: what is in it is written in its place", "",
])("leaves advice to the reader: %s", (hint) => expect(fixed('{"a":{"b":1}}', "/a/b", hint)).toEqual([]));

it("keeps the text around it as it was written", () => {
  const text = '{\n    "a": {"kind": "adam", "lr": 1},  "b": [1,\n 2]\n}\n';
  expect(fixed(text, "/a/kind", 'did you mean "Adam"?', "unknown_kind")).toEqual([['use "Adam"', text.replace("adam", "Adam")]]);
});

it("says what it will do", () => {
  expect(fixed('{"in":1}', "/in", "set in to 2, or leave it out").map(([label]) => label)).toEqual(["set in to 2", "remove in"]);
});
