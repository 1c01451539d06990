// Writes app/web/build.json: the SHA-256 of every source file and of every built file, so that a test without Node
// sees when the build is older than its source, and the size of the first load.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUILD = "../app/web";
const EXCLUDED = new Set(["node_modules", "dist"]);

function files(folder, prefix = "") {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !EXCLUDED.has(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) =>
      entry.isDirectory() ? files(join(folder, entry.name), `${prefix}${entry.name}/`) : [`${prefix}${entry.name}`],
    );
}

function digests(folder, names) {
  return Object.fromEntries(
    names.map((name) => [name, createHash("sha256").update(readFileSync(join(folder, name))).digest("hex")]),
  );
}

const page = readFileSync(join(BUILD, "index.html"), "utf8");
const first = ["index.html", ...[...page.matchAll(/(?:src|href)="\/([^"]+\.(?:js|css))"/g)].map((match) => match[1])];
const firstLoad = first.reduce((sum, name) => sum + gzipSync(readFileSync(join(BUILD, name)), { level: 9 }).length, 0);
const built = files(BUILD).filter((name) => name !== "build.json" && name.endsWith(".py") === false);
// What the build reads from beside web/: the description of the API (vite.config.ts), and examples as they are.
const texts = files("src").filter((name) => /\.tsx?$/.test(name)).map((name) => readFileSync(join("src", name), "utf8"));
const examples = texts.flatMap((text) => [...text.matchAll(/import\("virtual:example\/([\w/-]+)"\)/g)].map((match) => `../examples/${match[1]}.json`));
const manifest = {
  first_load: { files: first, gzip_bytes: firstLoad },
  source: digests(".", files(".")),
  outside: digests(".", ["../docs/openapi.json", ...examples.sort()]),
  build: digests(BUILD, built),
};
writeFileSync(join(BUILD, "build.json"), `${JSON.stringify(manifest, null, 1)}\n`);
console.log(`first load: ${(firstLoad / 1024).toFixed(1)} KiB gzip in ${first.length} files`);
