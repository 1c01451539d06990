/** The JSON Schemas that a spec is made of, from docs/openapi.json: see vite.config.ts. */
declare module "virtual:job-spec" {
  const schemas: Record<string, import("./schemas").JsonSchema>;
  export default schemas;
}
