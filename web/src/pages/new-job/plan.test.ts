import { expect, it } from "vitest";
import type { Report } from "../../api/schema";
import { figuresOf } from "./plan";

const report = (training: object | undefined, values: object = {}) =>
  ({ splits: { train: { rows: 1438 }, validation: { rows: 359 }, test: null }, inspection: { totals: { parameters: 10, trainable: 8, flops: 5 }, memory: { total: 7, batch_size: 16 } }, spec: { training }, ...values }) as unknown as Report;

it("reads the figures of a report", () => {
  expect(figuresOf(report({ epochs: 20, batch_size: 16 }))).toEqual({
    parameters: 10, trainable: 8, flops: 5, memory: { total: 7, batch_size: 16 }, rows: { train: 1438, validation: 359 }, steps: 1800,
  });
});

it.each([
  [{ steps: 5 }, 5],
  [{ epochs: 2 }, 46],
  [{ epochs: 2, drop_last: true }, 44],
  [{ epochs: 1, batch_size: 16, accumulate: 4 }, 23],
  [{}, 23],
  [undefined, 23],
])("counts the steps of %o", (training, steps) => expect(figuresOf(report(training)).steps).toBe(steps));

it("counts no steps of data whose rows are not known", () =>
  expect(figuresOf(report({ epochs: 2 }, { splits: { train: { rows: null } }, inspection: {} }))).toMatchObject({ steps: null, parameters: null, memory: {} }));
