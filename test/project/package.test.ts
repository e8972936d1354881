// What package.json promises to those who import the package: each path is made by the build, and the node can be embedded.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string): string => readFileSync(join(REPOSITORY, file), "utf8");

type Exported = string | Readonly<Record<string, string>>;

/** The source that the build makes a file of; the browser's bundles are entries of scripts/build-browser.mjs. */
function sourceOf(built: string): string | undefined {
  const compiled = /^\.\/dist\/(src\/.+?)(?:\.d\.ts|\.js)$/.exec(built);
  if (compiled !== null) return `${compiled[1]}.ts`;
  const bundle = /^\.\/dist\/browser\/(\w+)\.js$/.exec(built);
  if (bundle === null) return built;
  return new RegExp(`^  ${bundle[1]}: "(.+)",$`, "m").exec(read("scripts/build-browser.mjs"))?.[1];
}

describe("exports of package.json", () => {
  const { exports } = JSON.parse(read("package.json")) as { readonly exports: Readonly<Record<string, Exported>> };
  const paths = Object.entries(exports).flatMap(([name, to]) =>
    (typeof to === "string" ? [to] : Object.values(to)).map((path) => [name, path] as const),
  );

  test.each(paths)("%s: the build makes %s", (_, path) => {
    expect(existsSync(join(REPOSITORY, sourceOf(path) ?? "no source"))).toBe(true);
  });

  test("are the node, the client and the light client", () => {
    expect(Object.keys(exports)).toEqual([".", "./client", "./client/light", "./package.json"]);
  });
});

test("a program makes a network and runs a node of it, by the package's face alone", async () => {
  const cairn = await import("../../src/node/index.ts");
  const root = mkdtempSync(join(tmpdir(), "cairn-embedded-"));
  try {
    const made = cairn.createNetwork(root, {
      name: "embedded",
      engine: "raft",
      producers: 1,
      followers: 0,
      basePort: 28_700,
      hosts: ["127.0.0.1"],
      time: Date.now(),
    });
    if (!made.ok) throw new Error(made.error.messages.join("\n"));
    const directory = cairn.readNodeDirectory(made.value[0]!.dir, {
      flags: { "p2p.listen": { flag: "--listen", value: "127.0.0.1:0" } },
    });
    if (!directory.ok) throw new Error(directory.error.messages.join("\n"));
    const { dir, config, genesis, key } = directory.value;
    const onFatal = (error: Error): void => expect.unreachable(error.message);
    const node = await cairn.startNode({ dir, config, genesis, key, log: cairn.SILENT, onFatal });
    expect(node.api.status()).toMatchObject({ chainId: genesis.chainId, name: "embedded" });
    await node.handOver();
    await node.stop();
    expect(cairn.createKvApplication().name).toBe(genesis.application.name);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
