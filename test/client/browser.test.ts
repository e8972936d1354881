/** The browser builds: without anything of Node's around them, they submit to a node, read from it and verify what it says. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createContext, runInContext } from "node:vm";
import { expect, test } from "vitest";
import { NetworkProcesses } from "../../tools/network/processes.ts";

const BUILD = fileURLToPath(new URL("../../scripts/build-browser.mjs", import.meta.url));

/** What a page has that the language has not. */
const WEB_GLOBALS = [
  "fetch",
  "Response",
  "Headers",
  "ReadableStream",
  "AbortController",
  "AbortSignal",
  "DOMException",
  "TextEncoder",
  "TextDecoder",
  "URL",
  "URLSearchParams",
  "crypto",
  "setTimeout",
  "clearTimeout",
] as const;

test("the bundles are small and, with web globals only, submit, read, stream and verify what a running node says", async () => {
  const dir = mkdtempSync(join(tmpdir(), "cairn-browser-"));
  const network = NetworkProcesses.create({ dir: join(dir, "net"), producers: 1, followers: 0, basePort: 31_880 });
  try {
    const file = join(dir, "client.js");
    execFileSync(process.execPath, [BUILD, dir]);
    const [bundle, light] = [file, join(dir, "light.js")].map((each) => readFileSync(each, "utf8")) as [string, string];
    for (const each of [bundle, light]) {
      expect(each.length).toBeLessThan(72 * 1024);
      expect(/["'`]node:|\brequire\(/.test(each)).toBe(false);
    }
    await network.startAll();
    await network.awaitLeader();
    const url = network.nodes[0]?.url ?? "";
    const told = await inPage(bundle, { url }, CLIENT_PAGE);
    expect(told).toMatchObject({ Buffer: "undefined", process: "undefined", status: "irreversible", text: "hällo" });
    expect(told["streamed"]).toBe(told["height"]);
    expect(told["change"]).toMatchObject({ kind: "put", key: "greeting", value: "hällo" });
    expect(told["refused"]).toBe("INVALID_ARGUMENT");
    expect(runExample(dir, file, url)).toEqual(["irreversible", "hello"]);
    const genesis: unknown = await (await fetch(`${url}/v1/genesis`)).json();
    const id = told["id"] as string;
    const verified = await inPage(light, { url, genesis: JSON.stringify(genesis), id }, LIGHT_PAGE);
    expect(verified).toEqual({ verdict: "current", id, height: told["height"], forged: "NOT_PROVEN" });
    expect(await network.endAll()).toEqual([0]);
  } finally {
    await network.endAll("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  }
}, 300_000);

/** Runs the example of the guide as it stands, with the bundle as the package. @returns its outcome and its read */
function runExample(dir: string, bundle: string, url: string): string[] {
  const guide = readFileSync(new URL("../../docs/client.md", import.meta.url), "utf8");
  const example = /```js\n([^`]*)```/.exec(guide)?.[1] ?? "";
  const script = join(dir, "example.mjs");
  writeFileSync(
    script,
    example.replace("cairn/client", pathToFileURL(bundle).href).replaceAll(/http:\/\/[\d.:]+/g, url),
  );
  const lines = execFileSync(process.execPath, [script], { encoding: "utf8" }).split("\n");
  return [lines[0]?.split(" ")[0] ?? "", lines[1] ?? ""];
}

const CLIENT_PAGE = `
    const { CairnClient, ClientError } = bundle;
    const client = new CairnClient(url);
    const prepared = client.prepare({ put: { key: "greeting", value: "hällo" } });
    const outcome = await client.submit(prepared);
    const { text } = await client.kvGet("greeting");
    let streamed, change, refused;
    for await (const block of client.stream({ from: 1 })) if ((streamed = block.height) >= outcome.height) break;
    for await (change of client.watch("gree", { from: 1 })) break;
    try { client.prepare({ put: { key: "" } }); } catch (error) { refused = error instanceof ClientError && error.code; }
    return JSON.stringify({ Buffer: typeof Buffer, process: typeof process, ...outcome, text, streamed, change, refused });`;

/** The same node, asked by who knows a genesis with another producer, convinces of nothing. */
const LIGHT_PAGE = `
    const { LightClient } = bundle;
    const light = await LightClient.open(JSON.parse(genesis), [url]);
    const { nodes: [{ verdict }] } = await light.sync();
    const proven = await light.transaction(id);
    const other = JSON.parse(genesis);
    other.producers[0].key = "ab".repeat(32);
    const misled = await LightClient.open(other, [url]);
    const forged = await misled.sync().catch((error) => error.code);
    return JSON.stringify({ verdict, id: proven.id, height: proven.height, forged });`;

/**
 * Runs a page's script over a bundle. The bundle's last line exports; a script in a context cannot, so the names go to a
 * variable instead.
 */
async function inPage(
  bundle: string,
  given: Readonly<Record<string, unknown>>,
  script: string,
): Promise<Record<string, unknown>> {
  const exported = /export\s*\{([^}]*)\};?/.exec(bundle);
  if (exported?.[1] === undefined) throw new Error("the bundle exports nothing");
  const names = exported[1].replace(/([\w$]+) as ([\w$]+)/g, "$2: $1");
  const page = `(async () => {
    ${bundle.replace(exported[0], "").replace(/\/\/# sourceMappingURL.*/, "")}
    const bundle = { ${names} };
    ${script}
  })()`;
  const globals = Object.fromEntries(WEB_GLOBALS.map((name) => [name, globalThis[name]]));
  const context = createContext({ ...globals, ...given });
  return JSON.parse((await runInContext(page, context)) as string) as Record<string, unknown>;
}
