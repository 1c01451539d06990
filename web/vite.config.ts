/// <reference types="vitest/config" />
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

export default defineConfig({
  plugins: [developerSession],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../app/web",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the content security policy lets no font or script be inlined
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/v1": { target: service, headers: key ? { Authorization: `Bearer ${key}` } : {} }, "/docs": service },
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});
