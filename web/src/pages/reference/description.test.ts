import { expect, test } from "vitest";
import { addressOf, exampleOf, operationsOf, type Description } from "./description";

const DESCRIPTION: Description = {
  info: { version: "1" },
  paths: {
    "/v1/jobs/{id}": {
      get: {
        operationId: "read_job", tags: ["jobs"], summary: "Read", security: [{ key: [] }],
        parameters: [{ name: "id", in: "path", required: true, schema: {} }, { name: "wait", in: "query", required: false, schema: {} }],
        responses: { "200": { description: "Success.", content: { "application/json": { schema: { $ref: "#/components/schemas/Job" } } } }, "404": { $ref: "#/components/responses/NotFound" } },
      },
      head: { operationId: "describe_job", responses: {} },
    },
  },
  components: { schemas: { Job: { type: "object" } }, responses: { NotFound: { description: "There is none." } } },
};

test("operations are those that a browser sends, with their responses", () => {
  const [operation, ...others] = operationsOf(DESCRIPTION);
  expect(others).toEqual([]);
  expect(operation).toMatchObject({ id: "read_job", method: "GET", tag: "jobs", guarded: true, bodies: {} });
  expect(operation!.responses.map(({ status, description }) => [status, description])).toEqual([["200", "Success."], ["404", "There is none."]]);
});

test("an address has its placeholders filled, and no empty parameter", () => {
  const [operation] = operationsOf(DESCRIPTION);
  expect(addressOf(operation!, { id: "a/b", wait: " " })).toBe("/v1/jobs/a%2Fb");
  expect(addressOf(operation!, { id: "x", wait: "3" })).toBe("/v1/jobs/x?wait=3");
});

test("an example has what is required, and ends where a schema holds itself", () => {
  const schemas = { Tree: { type: "object", required: ["child"], properties: { child: { $ref: "#/components/schemas/Tree" } } } };
  expect(exampleOf({ type: "object", required: ["name"], properties: { name: { type: "string" }, more: {} } }, {})).toEqual({ name: "" });
  expect(exampleOf({ anyOf: [{ type: "integer" }, { type: "null" }] }, {})).toBe(0);
  expect(JSON.stringify(exampleOf({ $ref: "#/components/schemas/Tree" }, schemas))).toMatch(/^\{"child":/);
});
