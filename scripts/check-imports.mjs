// The import rule: which folder may import which, and what the deterministic folders must not use.
//
//   node scripts/check-imports.mjs [ROOT]      exit 0 when the rule holds, 1 with one line per fault
//
// The deterministic folders run in the node, in the simulator and in a web page, so that time, randomness and I/O come
// to them as inputs only (DESIGN.md, sections 2 and 3). The check reads the syntax tree: comments, strings and property
// names (`job.process()`) are no faults, but a variable named like a banned global is one, for simplicity.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, posix, relative, sep } from "node:path";
import { parseAst } from "rolldown/parseAst";

/** What the shell stands on: every layer below it. */
const CORE = [
  "src/base",
  "chain",
  "net",
  "net/transport",
  "net/link",
  "consensus",
  "src/replica",
  "src/node/applications",
];

/**
 * One row per folder; the row with the longest matching folder rules a file. A folder may always import itself.
 *   may         folders and files of ours it may import
 *   types       folders of which it may import types only (`import type`)
 *   packages    npm packages it may import: "any", or PURE_PACKAGES when left out
 */
const LAYERS = [
  { folder: "src/base", deterministic: true, may: [] },
  { folder: "chain", deterministic: true, may: ["src/base"] },
  { folder: "net", deterministic: true, may: ["src/base"] },
  { folder: "net/transport", deterministic: true, may: ["src/base", "net"], types: ["net/link"] },
  { folder: "net/link", packages: "any", may: ["src/base", "net", "net/transport"] },
  { folder: "consensus", deterministic: true, may: ["src/base", "chain"] },
  { folder: "src/replica", deterministic: true, may: CORE.filter((f) => f !== "net/link"), types: ["net/link"] },
  { folder: "src/client/light", may: ["src/base", "chain", "consensus", "src/client"] },
  { folder: "src/client", may: ["src/base", "chain", "src/node/applications"], types: ["src/node"] },
  {
    folder: "src/explorer",
    packages: [],
    may: ["src/base", "chain", "src/client", "src/client/light", "src/node/applications"],
    types: ["src/node"],
  },
  { folder: "src/node/applications", deterministic: true, may: ["src/base", "chain"] },
  { folder: "src/node", packages: "any", may: [...CORE, "package.json"] },
  {
    folder: "src/node/cli",
    packages: "any",
    may: [...CORE, "src/node", "src/client", "src/client/light", "tools", "package.json"],
  },
  { folder: "tools", packages: "any", may: [...CORE, "src/node", "src/client", "package.json"] },
];

/** npm packages every deterministic folder may import: pure computation, and they run in a web page. */
const PURE_PACKAGES = ["@bufbuild/protobuf"];

/** `node:` modules that one file of a deterministic folder may import. */
const NODE_MODULES = { "src/base/hash.ts": ["node:crypto"] };

/** Names that reach a clock, randomness, a timer, I/O, or the job queue. */
const BANNED = new Set(
  `Date performance Temporal setTimeout setInterval setImmediate queueMicrotask requestAnimationFrame MessageChannel
   Promise PromiseLike AsyncIterable AsyncGenerator Worker Atomics WeakRef FinalizationRegistry
   process console crypto fetch XMLHttpRequest WebSocket EventSource require globalThis window eval Function`.split(
    /\s+/,
  ),
);
const BANNED_MEMBERS = { Math: ["random"] };
const TOP_FOLDERS = ["src", "chain", "net", "consensus", "tools"];

const root = process.argv[2] ?? process.cwd();
const faults = new Set();
let fileCount = 0;
for (const folder of TOP_FOLDERS) for (const file of sourcesIn(folder)) checkFile(file);

if (fileCount === 0) faults.add("no TypeScript files found: nothing was checked");
for (const fault of faults) console.error(fault);
if (faults.size > 0) process.exit(1);
console.log(`imports: ok (${fileCount} files)`);

function sourcesIn(folder) {
  const at = join(root, folder);
  if (!existsSync(at)) return [];
  return readdirSync(at, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
}

function checkFile(file) {
  fileCount += 1;
  const text = readFileSync(join(root, file), "utf8");
  const report = (node, why) => faults.add(`${file}:${text.slice(0, node.start).split("\n").length}: ${why}`);
  const layer = layerOf(file);
  if (layer === undefined) return report({ start: 0 }, "belongs to no layer of scripts/check-imports.mjs");
  let tree;
  try {
    tree = parseAst(text, { lang: file.endsWith("x") ? "tsx" : "ts", sourceType: "module" }, file);
  } catch (error) {
    return report({ start: 0 }, `cannot be parsed: ${error.message}`);
  }
  walk(tree, undefined, undefined, (node, parent, key) => {
    const imported = importOf(node);
    if (imported !== undefined) checkImport(file, layer, imported, (why) => report(node, why));
    if (layer.deterministic) checkDeterministic(node, parent, key, (why) => report(node, why));
  });
}

/** The longest row that holds the file: "net/transport/routes.ts" belongs to net/transport, not to net. */
function layerOf(file) {
  return LAYERS.filter(({ folder }) => within(folder, file)).sort((a, b) => b.folder.length - a.folder.length)[0];
}

function within(folder, file) {
  return file === folder || file.startsWith(`${folder}/`);
}

/** What a node imports: `{from, typeOnly}`; `from` is undefined when it is computed at run time. */
function importOf(node) {
  switch (node.type) {
    case "ImportDeclaration":
      return { from: node.source.value, typeOnly: node.importKind === "type" };
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
      return node.source ? { from: node.source.value, typeOnly: node.exportKind === "type" } : undefined;
    case "ImportExpression":
      return { from: node.source.type === "Literal" ? node.source.value : undefined, typeOnly: false, dynamic: true };
    case "TSImportType":
      return { from: (node.source ?? node.argument?.literal)?.value, typeOnly: true };
    case "TSExternalModuleReference":
      return { from: node.expression.value, typeOnly: false };
    default:
      return undefined;
  }
}

function checkImport(file, layer, { from, typeOnly, dynamic }, report) {
  if (dynamic && layer.deterministic) return report("import() is a promise: not in a deterministic folder");
  if (typeof from !== "string") return dynamic ? undefined : report("imports what this check cannot read");
  if (isBuiltin(from)) {
    const allowed = !layer.deterministic || (NODE_MODULES[file] ?? []).includes(from);
    return allowed ? undefined : report(`${layer.folder} is deterministic and must not import ${from}`);
  }
  if (!from.startsWith(".")) {
    if (from.startsWith("/") || from.startsWith("file:")) return report(`imports by absolute path: ${from}`);
    const name = from
      .split("/")
      .slice(0, from.startsWith("@") ? 2 : 1)
      .join("/");
    const allowed = layer.packages ?? PURE_PACKAGES;
    return allowed === "any" || allowed.includes(name) ? undefined : report(`${layer.folder} must not import ${name}`);
  }
  const target = posix.normalize(posix.join(posix.dirname(file), from));
  const owner = layerOf(target)?.folder ?? target;
  if (owner === layer.folder || layer.may.includes(owner)) return undefined;
  if (layer.types?.includes(owner)) {
    return typeOnly ? undefined : report(`${layer.folder} may import only types of ${owner}: ${from}`);
  }
  return report(`${layer.folder} must not import ${owner}: ${from}`);
}

function checkDeterministic(node, parent, key, report) {
  if (node.async === true) report("async function in a deterministic folder");
  if (node.type === "AwaitExpression") report("await in a deterministic folder");
  if (node.type === "ForOfStatement" && node.await) report("for await in a deterministic folder");
  if (node.type === "MetaProperty" && node.meta.name === "import") report("import.meta in a deterministic folder");
  if (node.type === "Identifier" && BANNED.has(node.name) && !isPropertyName(node, parent, key)) {
    report(`${node.name} in a deterministic folder`);
  }
  if (node.type === "MemberExpression" && node.object.type === "Identifier") {
    const member = node.computed ? node.property.value : node.property.name;
    if (BANNED_MEMBERS[node.object.name]?.includes(member)) {
      report(`${node.object.name}.${member} in a deterministic folder`);
    }
  }
  if (node.type === "Identifier" && node.name in BANNED_MEMBERS && !isPropertyName(node, parent, key)) {
    if (parent.type !== "MemberExpression") report(`${node.name} other than as ${node.name}.name`);
  }
}

/** `x.process`, `{process: 1}`, `interface {process(): void}`: a name of ours, not the global. */
function isPropertyName(node, parent, key) {
  if (parent === undefined) return false;
  if (parent.type === "MemberExpression") return key === "property" && !parent.computed;
  if (parent.type === "TSQualifiedName") return key === "right";
  if (parent.type === "Property") return key === "key" && !parent.computed && !parent.shorthand;
  if (parent.type === "ImportSpecifier") return key === "imported" && parent.local.name !== node.name;
  return key === "key" && parent.computed !== true;
}

function walk(node, parent, key, visit) {
  visit(node, parent, key);
  for (const [name, child] of Object.entries(node)) {
    for (const each of Array.isArray(child) ? child : [child]) {
      if (each !== null && typeof each === "object" && typeof each.type === "string") walk(each, node, name, visit);
    }
  }
}
