// The import rule (scripts/check-imports.mjs) holds for this tree, and finds a planted fault of each kind.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("../../scripts/check-imports.mjs", import.meta.url));
const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** A tree that keeps the rule, with what is easily mistaken for a fault. */
const CLEAN: Readonly<Record<string, string>> = {
  "src/base/hash.ts": `import { createHash } from "node:crypto";\nexport const hash = createHash;`,
  "src/base/bytes.ts": `// Date.now() and await in a comment\nexport const text = "Promise fetch process.exit()";`,
  "chain/block.ts": `import { text } from "../src/base/bytes.ts";\nexport const block = { process: text, Date: 1 }.process;`,
  "net/lanes.ts": `import "../src/base/bytes.ts";`,
  "net/link/types.ts": `export interface Lane { fetch(): number }\nexport const open = async () => new Date();`,
  "net/transport/routes.ts": `import type { Lane } from "../link/types.ts";\nexport const read = (lane: Lane) => lane.fetch();`,
  "consensus/raft/election.ts": `import "../../chain/block.ts";\nimport { toBinary } from "@bufbuild/protobuf";\ntoBinary;`,
  "src/replica/step.ts": `import type { Lane } from "../../net/link/types.ts";\nimport "../../consensus/raft/election.ts";`,
  "src/node/clock.ts": `import "../replica/step.ts";\nexport const now = () => Date.now();`,
  "src/node/cli/main.ts": `import "../../../tools/bench.ts";\nimport "../../client/index.ts";`,
  "src/client/index.ts": `import type {} from "../node/clock.ts";\nimport "../base/bytes.ts";`,
  "tools/bench.ts": `import "../src/node/clock.ts";`,
};

const FORBIDDEN_IMPORTS: readonly (readonly [file: string, source: string, why: string])[] = [
  ["src/base/x.ts", `import "../../chain/block.ts";`, "src/base must not import chain"],
  ["src/base/x.ts", `import type {} from "../replica/step.ts";`, "src/base must not import src/replica"],
  ["chain/x.ts", `import "../consensus/raft/election.ts";`, "chain must not import consensus"],
  ["chain/x.ts", `export * from "../net/transport/routes.ts";`, "chain must not import net/transport"],
  ["chain/x.ts", `export type X = import("../src/node/clock.ts").X;`, "chain must not import src/node"],
  ["chain/x.ts", `import "better-sqlite3";`, "chain must not import better-sqlite3"],
  ["net/link/x.ts", `import "../../chain/block.ts";`, "net/link must not import chain"],
  ["net/transport/x.ts", `import "../../consensus/raft/election.ts";`, "net/transport must not import consensus"],
  ["net/transport/x.ts", `import { open } from "../link/types.ts";`, "only types of net/link"],
  ["consensus/x.ts", `import "../net/transport/routes.ts";`, "consensus must not import net/transport"],
  ["consensus/x.ts", `import type {} from "../src/replica/step.ts";`, "consensus must not import src/replica"],
  ["src/replica/x.ts", `import { open } from "../../net/link/types.ts";`, "only types of net/link"],
  ["src/replica/x.ts", `import "../node/clock.ts";`, "src/replica must not import src/node"],
  ["src/node/x.ts", `import "../../tools/bench.ts";`, "src/node must not import tools"],
  ["src/node/x.ts", `export const x = () => import("../../tools/bench.ts");`, "src/node must not import tools"],
  ["src/node/x.ts", `import "../../test/fixture.ts";`, "src/node must not import test/fixture.ts"],
  ["src/client/x.ts", `import { now } from "../node/clock.ts";`, "only types of src/node"],
  ["src/utils/x.ts", `export {};`, "belongs to no layer"],
  ["chain/x.ts", `export const = 1;`, "cannot be parsed"],
];

const NOT_DETERMINISTIC: readonly (readonly [source: string, why: string])[] = [
  [`export const x = Date.now();`, "Date"],
  [`export const x = new Date();`, "Date"],
  [`export const x = performance.now();`, "performance"],
  [`export const x = Math.random();`, "Math.random"],
  [`export const x = Math["random"]();`, "Math.random"],
  [`export const { random } = Math;`, "Math other than"],
  [`setTimeout(() => 1, 1);`, "setTimeout"],
  [`setInterval(() => 1, 1);`, "setInterval"],
  [`setImmediate(() => 1);`, "setImmediate"],
  [`queueMicrotask(() => 1);`, "queueMicrotask"],
  [`process.exit();`, "process"],
  [`console.log(1);`, "console"],
  [`globalThis.setTimeout(() => 1);`, "globalThis"],
  [`crypto.randomUUID();`, "crypto"],
  [`fetch("x");`, "fetch"],
  [`export const x = { fetch };`, "fetch"],
  [`Promise.resolve();`, "Promise"],
  [`export type X = Promise<void>;`, "Promise"],
  [`export async function x() {}`, "async function"],
  [`export const x = async () => 1;`, "async function"],
  [`export class X { async x() {} }`, "async function"],
  [`await 1;`, "await"],
  [`for await (const x of []) x;`, "for await"],
  [`export const x = () => import("./y.ts");`, "import()"],
  [`export const x = import.meta.url;`, "import.meta"],
  [`import "node:fs";`, "must not import node:fs"],
  [`import "fs";`, "must not import fs"],
  [`import type {} from "node:crypto";`, "must not import node:crypto"],
];

const DETERMINISTIC_FOLDERS = ["src/base", "chain", "net/transport", "consensus/raft", "src/replica"];

let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "cairn-imports-"));
  for (const [file, source] of Object.entries(CLEAN)) plant(file, source);
});

afterEach(() => rmSync(tree, { recursive: true, force: true }));

function plant(file: string, source: string): void {
  mkdirSync(dirname(join(tree, file)), { recursive: true });
  writeFileSync(join(tree, file), source);
}

function check(root: string): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, root], { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

describe("the import rule", () => {
  test("holds in this repository", () => {
    expect(check(REPOSITORY)).toMatchObject({ status: 0, output: expect.stringMatching(/^imports: ok \(\d+ files\)/) });
  });

  test("passes a tree that keeps it", () => {
    expect(check(tree)).toEqual({ status: 0, output: `imports: ok (${Object.keys(CLEAN).length} files)\n` });
  });

  test("fails where there is nothing to check", () => {
    rmSync(tree, { recursive: true });
    expect(check(tree)).toMatchObject({ status: 1, output: expect.stringContaining("nothing was checked") });
  });

  test.each(FORBIDDEN_IMPORTS)("%s: %s", (file, source, why) => {
    plant(file, source);
    const { status, output } = check(tree);
    expect(output.split("\n")[0]).toContain(why);
    expect(output).toContain(`${file}:1: `);
    expect(status).toBe(1);
  });
});

describe("deterministic folders must not use", () => {
  test.each(NOT_DETERMINISTIC)("%s", (source, why) => {
    for (const folder of DETERMINISTIC_FOLDERS) plant(`${folder}/planted.ts`, source);
    const { status, output } = check(tree);
    for (const folder of DETERMINISTIC_FOLDERS) {
      const faults = output.split("\n").filter((line) => line.startsWith(`${folder}/planted.ts:1: `));
      expect(faults.join("\n"), folder).toContain(why);
    }
    expect(status).toBe(1);
  });
});
