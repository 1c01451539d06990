/// <reference types="vitest/config" />
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

// `npm run dev` serves the source for development, in front of a running service, as the holder of GRAFTWERK_KEY.
const service = process.env.GRAFTWERK_URL ?? "http://127.0.0.1:8000";
const key = process.env.GRAFTWERK_KEY;

const developerSession: Plugin = {
  name: "developer-session",
  configureServer(server) {
    if (!key) return;
    server.middlewares.use("/v1/session", (request, response, next) => {
      if (request.method !== "GET" || request.url !== "/") return next();
      response.setHeader("Content-Type", "application/json");
      response.end(
        JSON.stringify({
          owner: "developer", key_id: "key_developer", key_name: "developer", scopes: ["read", "write", "admin"],
          created_at: new Date().toISOString(), expires_at: null, csrf_token: "developer",
        }),
      );
    });
  },
};

// What the editor completes by: the schemas of the API's description that a spec is made of, and no others.
const jobSpec: Plugin = {
  name: "job-spec",
  resolveId: (id) => (id === "virtual:job-spec" ? "\0job-spec" : null),
  load(id) {
    if (id !== "\0job-spec") return null;
    const all = JSON.parse(readFileSync("../docs/openapi.json", "utf8")).components.schemas;
    const names = new Set(["JobSpec"]);
    for (const name of names) {
      for (const [, other] of JSON.stringify(all[name]).matchAll(/#\/components\/schemas\/(\w+)/g)) names.add(other);
    }
    const schemas = Object.fromEntries([...names].map((name) => [name, all[name]]));
    return `export default JSON.parse(${JSON.stringify(JSON.stringify(schemas))});`;
  },
};

// Jobs of examples/, as they are written.
const examples: Plugin = {
  name: "examples",
  resolveId: (id) => (/^virtual:example\/[\w/-]+$/.test(id) ? `\0${id}` : null),
  load(id) {
    const name = /^\0virtual:example\/([\w/-]+)$/.exec(id)?.[1];
    return name === undefined ? null : `export default ${JSON.stringify(readFileSync(`../examples/${name}.json`, "utf8"))};`;
  },
};

export default defineConfig({
  plugins: [developerSession, jobSpec, examples],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../app/web",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.txt" }, // of every package in the build; linked from the reference of the API
    assetsInlineLimit: 0, // the content security policy lets no font or script be inlined
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/v1": { target: service, headers: key ? { Authorization: `Bearer ${key}` } : {} }, "/docs": service },
  },
  // Only the tests that say so have a document: making one for each file took most of the time.
  test: { environment: "node", isolate: false, include: ["src/**/*.test.{ts,tsx}"] },
});
