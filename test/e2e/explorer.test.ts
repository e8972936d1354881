/**
 * The explorer page in Chromium: over a live network under Raft and BFT, and over a server that lies, where it says which
 * check failed. What comes from a server is text.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toHex } from "../../src/base/bytes.ts";
import { builtFile, PAGE_FILES, PAGE_HEADERS } from "../../src/node/http/explorerRoutes.ts";
import { chainGenesis, makeChain, SMALL_CHAIN } from "../../tools/inspect/makeChain.ts";
import { NetworkProcesses } from "../../tools/network/processes.ts";
import { CHROMIUM, openBrowser, WITHOUT_CHROMIUM } from "../explorer/browser.ts";
import { type Lie, ServedChain } from "../fixtures/lyingServer.ts";

const PATIENCE_MS = 60_000;
const root = mkdtempSync(join(tmpdir(), "cairn-explorer-"));
let browser: Browser | undefined;

beforeAll(async () => {
  if (CHROMIUM !== undefined) browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  rmSync(root, { recursive: true, force: true });
});

/** A page that remembers what went wrong in it, and whom it asked. */
async function open(url: string): Promise<{ page: Page; wrong: string[]; asked: Set<string> }> {
  const page = await (browser as Browser).newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const wrong: string[] = [];
  const asked = new Set<string>();
  page.on("pageerror", (error) => wrong.push(error.message));
  // A refused request is told as an error, too: 404 while it is not known what an id is of.
  page.on("console", (told) => {
    if (told.type() === "error" && !told.text().includes("404")) wrong.push(told.text());
  });
  page.on("request", (request) => asked.add(new URL(request.url()).origin));
  await page.goto(url);
  return { page, wrong, asked };
}

/** Each check, and whether it held. */
async function verify(page: Page, chainId = ""): Promise<Record<string, string>> {
  await page.getByLabel("chain id that you know").fill(chainId);
  await page.getByRole("button", { name: "Verify" }).click();
  await page.locator("#result:not(:empty)").waitFor();
  const steps = await page.locator("#steps li").evaluateAll((all) =>
    all.map((step) => {
      const { dataset, className } = step as unknown as { dataset: { check: string }; className: string };
      return [dataset.check, className] as const;
    }),
  );
  return Object.fromEntries(steps);
}

const ALL_HOLD = { genesis: "holds", certificates: "holds", inclusion: "holds", receipt: "holds" };
const KEY = '<img src="x" onerror="document.title=1">';
const VALUE = "<script>document.title=2</script>&amp;";

describe.skipIf(CHROMIUM === undefined)(
  `the explorer page${CHROMIUM === undefined ? ` (${WITHOUT_CHROMIUM})` : ""}`,
  () => {
    it.each([
      ["raft", 3, 31_600],
      ["bft", 4, 31_700],
    ] as const)(
      "%s: shows the chain as it grows, finds a block and a transaction, verifies it from the genesis; nothing becomes markup",
      async (engine, producers, basePort) => {
        const network = NetworkProcesses.create({ dir: join(root, engine), engine, producers, followers: 0, basePort });
        try {
          await network.startAll();
          await network.awaitLeader();
          const url = network.nodes[0]?.url as string;
          const put = async (key: string, value: string) => {
            const answer = await fetch(`${url}/v1/transactions?wait=irreversible`, {
              method: "POST",
              headers: { "content-type": "application/json" },
              body: JSON.stringify({ put: { key, value } }),
            });
            return (await answer.json()) as { readonly id: string; readonly height: number };
          };
          const { id, height } = await put(KEY, VALUE);
          const { page, wrong, asked } = await open(url);
          await page.locator("#status .good", { hasText: "synced" }).waitFor();
          expect(await page.locator("#status").innerText()).toContain(`${engine}, view`);
          expect(await page.locator("#producers tr").count()).toBe(producers);
          expect(await page.locator("#peers tr").count()).toBe(producers - 1);

          await page.locator(`#blocks a[href="#/block/${height}"]`).waitFor();
          const newer = await put("another", "one");
          await page.locator(`#blocks tr:first-child a[href="#/block/${newer.height}"]`).waitFor();

          await page.locator("#ref").fill(String(height));
          await page.getByRole("button", { name: "Find" }).click();
          await page.locator("#shown h2", { hasText: `Block ${height}, irreversible` }).waitFor();
          expect(await page.locator("#shown").innerText()).toContain(KEY.replaceAll('"', '\\"'));
          await page.locator(`#shown a[href="#/tx/${id}"]`).click();
          await page.locator("#verify").waitFor();
          expect(await page.locator("#shown").innerText()).toContain(VALUE);

          const { chainId } = (await network.nodes[0]?.status()) ?? { chainId: "" };
          expect(await verify(page, chainId)).toEqual(ALL_HOLD);
          expect(await page.locator("#result").innerText()).toMatch(/^verified in \d+ ms, \d+\.\d kB$/);
          expect(await page.locator('#steps [data-check="inclusion"]').innerText()).toContain("<script>");
          const refused = await verify(page, "ab".repeat(32));
          expect(refused).toEqual({ genesis: "fails", certificates: "waits", inclusion: "waits", receipt: "waits" });

          await page.locator("#ref").fill(id);
          await page.getByRole("button", { name: "Find" }).click();
          await page.locator("#verify").waitFor();
          expect(await page.locator("main img, main script").count()).toBe(0);
          expect(await page.title()).toBe("test: node0");
          expect(wrong).toEqual([]);
          expect([...asked]).toEqual([url]);
          await page.close();
        } finally {
          await network.endAll("SIGKILL");
        }
      },
      300_000,
    );

    describe("over a server that lies", () => {
      let chain: ServedChain;
      let id: string;
      let lie: Lie | undefined;
      let server: Server;

      beforeAll(async () => {
        await makeChain(join(root, "lied"), SMALL_CHAIN);
        chain = new ServedChain(join(root, "lied"), chainGenesis());
        id = toHex(chain.viewAt(7)?.block.transactionIds.slice(32, 64) as Uint8Array);
        server = createServer(
          (request, response) =>
            void serve(request.url ?? "/").then(([status, type, body]) => {
              response.writeHead(status, { "content-type": type, ...PAGE_HEADERS }).end(body);
            }),
        );
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      });
      afterAll(() => {
        server.close();
        chain.close();
      });

      /** The page as a node serves it, and the API as the liar has it. */
      async function serve(path: string): Promise<[number, string, string | Buffer]> {
        const [file, type] = PAGE_FILES[path] ?? [];
        if (file !== undefined && type !== undefined) return [200, type, builtFile(file)?.bytes ?? ""];
        if (path === "/v1/genesis") {
          const honest = { status: 200, body: chainGenesis().value };
          return [200, "application/json", JSON.stringify((await lie?.(path, honest))?.body ?? honest.body)];
        }
        const answered = await chain.fetch(lie)(`http://node${path}`);
        return [answered.status, "application/json", await answered.text()];
      }

      /** Another value in one member of the proof. */
      const member =
        (name: string, change: (value: unknown) => unknown): Lie =>
        (path, served) => {
          if (!path.startsWith("/v1/transactions/")) return served;
          const body = served.body as { readonly proof: Record<string, unknown> };
          return { ...served, body: { ...body, proof: { ...body.proof, [name]: change(body.proof[name]) } } };
        };
      /** The last character but some, so that it decodes still. */
      const flipped = (value: unknown): string => {
        const text = String(value);
        const at = text.length - 20;
        return text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
      };
      const withoutOne = (value: unknown): unknown => (value as unknown[]).slice(1);
      const another: Lie = (path, served) =>
        path === "/v1/genesis" ? { ...served, body: { ...(served.body as object), name: "another" } } : served;

      it.each<[string, Lie | undefined, Record<string, string>, RegExp]>([
        ["nothing", undefined, ALL_HOLD, /^verified in/],
        ["the genesis", another, { genesis: "fails", certificates: "waits" }, /not proven/],
        ["a signature", member("certificate", flipped), { certificates: "fails", inclusion: "waits" }, /not proven/],
        ["the transaction", member("transaction", flipped), { inclusion: "fails", receipt: "waits" }, /not proven/],
        ["the way to its block", member("transactionPath", withoutOne), { inclusion: "fails" }, /not proven/],
        ["the way to the certified block", member("historyPath", withoutOne), { inclusion: "fails" }, /not proven/],
        ["the receipt", member("receipt", flipped), { inclusion: "waits", receipt: "fails" }, /not proven/],
      ])("about %s: the page says so", async (_, how, steps, words) => {
        lie = how;
        const { port } = server.address() as AddressInfo;
        const { page } = await open(`http://127.0.0.1:${port}/#/tx/${id}`);
        expect(await verify(page)).toMatchObject(steps);
        expect(await page.locator("#result").innerText()).toMatch(words);
        await page.close();
      });
    });
  },
);
