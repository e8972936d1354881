// The client and the light client, one file each for web pages: dist/browser/client.js, light.js; and the explorer page
// that a node serves, whose module imports light.js as it is. Says their sizes.
//
//   node scripts/build-browser.mjs [--quiet] [DIR]
//
// src/base/hash.ts, the one file that needs Node, is replaced by src/client/browser/hash.ts. Any other node: module that
// finds its way in fails the build.

import { copyFileSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const args = process.argv.slice(2);
const dir = args.find((arg) => arg !== "--quiet") ?? join(root, "dist", "browser");
const ENTRIES = {
  client: "src/client/index.ts",
  light: "src/client/light/index.ts",
  explorer: "src/explorer/main.ts",
};
const PAGE = ["index.html", "page.css", "icon.svg"];

const replaceHash = {
  name: "replace-hash",
  resolveId(source, importer) {
    if (isBuiltin(source)) throw new Error(`${source}: a web page has no Node modules`);
    if (importer?.includes("/src/explorer/") && source.endsWith("/client/light/index.ts"))
      return { id: "./light.js", external: true };
    return source.endsWith("/base/hash.ts") ? join(root, "src", "client", "browser", "hash.ts") : undefined;
  },
};

for (const [name, input] of Object.entries(ENTRIES)) {
  const out = join(dir, `${name}.js`);
  const bundle = await rolldown({
    input: join(root, input),
    platform: "browser",
    plugins: [replaceHash],
    treeshake: { moduleSideEffects: false },
    tsconfig: false,
  });
  await bundle.write({ file: out, format: "esm", minify: true, sourcemap: true });
  await bundle.close();
  const bytes = readFileSync(out);
  if (!args.includes("--quiet")) console.log(`${out}: ${bytes.length} bytes, ${gzipSync(bytes).length} with gzip`);
}
for (const name of PAGE) copyFileSync(join(root, "src", "explorer", name), join(dir, name));
