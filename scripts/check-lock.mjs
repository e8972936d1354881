// Checks that package-lock.json installs everywhere with `npm ci`, without a compiler and under npm 10 and 11.
//
//   node scripts/check-lock.mjs [--fix] [ROOT]
//
// What npm itself forgets each time it rewrites the lock, and what each check is for:
//  1. better-sqlite3 ships prebuilt binaries and says `gypfile: false`, which npm drops from the lock: `npm ci` then
//     runs node-gyp, and fails where Python or a compiler is missing.
//  2. package.json's `allowScripts` says which install scripts may run: that of `node` (it fetches Node 24), and not
//     the implied node-gyp one of better-sqlite3.
//  3. Linters list one optional package per platform; not every registry has them all. npm leaves the missing ones out
//     of the lock, and `npm ci` of npm 11 then refuses the lock (EUSAGE). A stub entry, skipped by `os` and `cpu`, serves.
//  4. No `resolved` address: the lock must not name the registry of whoever wrote it.
// `--fix` writes what can be written (1, 3 and 4); run it after every `npm install` that changes the lock.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PREBUILT = ["better-sqlite3"];
const ALLOW_SCRIPTS = { "better-sqlite3": false, node: true };
const NODE_MAJOR = 24;

const OS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const CPU = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"];
const LIBC = { gnu: "glibc", gnueabihf: "glibc", musl: "musl", musleabihf: "musl" };

const args = process.argv.slice(2);
const fix = args.includes("--fix");
const root = args.find((a) => !a.startsWith("--")) ?? process.cwd();
const lockFile = join(root, "package-lock.json");

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const lock = JSON.parse(readFileSync(lockFile, "utf8"));
const packages = lock.packages;

if (fix) {
  repair();
  writeFileSync(lockFile, JSON.stringify(lock, null, 2) + "\n");
}

const faults = [...checkPrebuilt(), ...checkAllowScripts(), ...checkOptional(), ...checkNode(), ...checkAddresses()];
for (const fault of faults) console.error(`lock: ${fault}`);
if (faults.length > 0) {
  console.error("lock: `npm run lock:fix` repairs package-lock.json; allowScripts in package.json is written by hand");
  process.exit(1);
}
console.log(`lock: ok (${Object.keys(packages).length - 1} packages)`);

function checkPrebuilt() {
  return PREBUILT.flatMap((name) => {
    const entry = packages[`node_modules/${name}`];
    if (entry === undefined) return [`${name} is not in package-lock.json`];
    if (entry.gypfile === false) return [];
    return [`${name} lacks "gypfile": false, so npm ci would compile it and fail without Python and a compiler`];
  });
}

function checkAllowScripts() {
  return Object.entries(ALLOW_SCRIPTS)
    .filter(([name, allowed]) => manifest.allowScripts?.[name] !== allowed)
    .map(([name, allowed]) => `package.json's allowScripts must hold "${name}": ${allowed}`);
}

function checkOptional() {
  return missingOptional().map(
    ({ owner, name }) => `${name}, optional for ${owner}, has no entry: npm 11 refuses the lock`,
  );
}

function checkNode() {
  const version = packages["node_modules/node"]?.version ?? "missing";
  return version.startsWith(`${NODE_MAJOR}.`) ? [] : [`the package node must be ${NODE_MAJOR}.x, it is ${version}`];
}

function checkAddresses() {
  return Object.entries(packages)
    .filter(([, entry]) => typeof entry.resolved === "string")
    .map(([path]) => `${path} records the address it was fetched from ("resolved")`);
}

function missingOptional() {
  const missing = [];
  for (const [owner, entry] of Object.entries(packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!resolves(owner, name)) missing.push({ owner, name, range, dev: entry.dev === true });
    }
  }
  return missing;
}

/** Node's own lookup: from the owner's folder upwards. */
function resolves(owner, name) {
  for (let at = owner; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    if (`${at === "" ? "" : `${at}/`}node_modules/${name}` in packages) return true;
    if (at === "") return false;
    if (!at.includes("/node_modules/")) at = "/node_modules/";
  }
}

function repair() {
  for (const name of PREBUILT) {
    const entry = packages[`node_modules/${name}`];
    if (entry !== undefined) entry.gypfile = false;
  }
  for (const entry of Object.values(packages)) delete entry.resolved;
  for (const { name, range, dev } of missingOptional()) {
    const stub = platformStub(name, range, dev);
    if (stub !== undefined) packages[`node_modules/${name}`] = stub;
  }
  lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en")));
}

/** An entry that npm skips on every platform but its own; the platform is the package's name ("linux-arm64-musl"). */
function platformStub(name, range, dev) {
  const words = name.split(/[/-]/);
  const os = words.filter((w) => OS.includes(w));
  const cpu = words.filter((w) => CPU.includes(w));
  const libc = words.filter((w) => w in LIBC).map((w) => LIBC[w]);
  if (os.length !== 1 || cpu.length !== 1 || !/^\d/.test(range)) return undefined;
  return {
    version: range,
    cpu,
    ...(dev ? { dev } : {}),
    ...(libc.length > 0 ? { libc } : {}),
    optional: true,
    os,
  };
}
