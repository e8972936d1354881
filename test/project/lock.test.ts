// package-lock.json installs without a compiler and under npm 10 and 11 (scripts/check-lock.mjs says why each rule).

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

interface Lock {
  readonly packages: Record<string, Record<string, unknown>>;
}
interface Manifest {
  allowScripts?: Record<string, boolean>;
}

const SCRIPT = fileURLToPath(new URL("../../scripts/check-lock.mjs", import.meta.url));
const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const read = <T>(file: string): T => JSON.parse(readFileSync(join(REPOSITORY, file), "utf8")) as T;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cairn-lock-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function check(
  lock: Lock,
  manifest: Manifest,
  ...flags: string[]
): { readonly status: number | null; readonly output: string } {
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock));
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...flags, folder], { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

test("the committed lock file keeps the rules", () => {
  expect(check(read("package-lock.json"), read("package.json"))).toMatchObject({ status: 0 });
});

test.each([
  [
    "gypfile: false of better-sqlite3",
    (lock: Lock) => delete lock.packages["node_modules/better-sqlite3"]?.["gypfile"],
    "gypfile",
  ],
  [
    "a linter's optional platform package",
    (lock: Lock) => delete lock.packages["node_modules/@oxlint/binding-win32-x64-msvc"],
    "binding-win32-x64-msvc",
  ],
  ["Node 24", (lock: Lock) => (lock.packages["node_modules/node"] = { version: "26.0.0" }), "must be 24.x"],
  [
    "no address of a registry",
    (lock: Lock) => (lock.packages["node_modules/zod"] = { resolved: "https://registry.invalid/zod" }),
    "resolved",
  ],
])("a lock file without %s fails", (_, spoil, why) => {
  const lock = read<Lock>("package-lock.json");
  spoil(lock);
  expect(check(lock, read("package.json"))).toMatchObject({ status: 1, output: expect.stringContaining(why) });
});

test("a package.json without allowScripts fails", () => {
  const manifest = read<Manifest>("package.json");
  delete manifest.allowScripts;
  expect(check(read("package-lock.json"), manifest)).toMatchObject({
    status: 1,
    output: expect.stringContaining(`"node": true`),
  });
});

test("--fix restores what npm forgets", () => {
  const lock = read<Lock>("package-lock.json");
  delete lock.packages["node_modules/better-sqlite3"]?.["gypfile"];
  delete lock.packages["node_modules/@oxlint/binding-linux-x64-musl"];
  expect(check(lock, read("package.json"), "--fix")).toMatchObject({ status: 0 });
});
