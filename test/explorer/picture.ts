/** `npm run explorer-picture`: docs/explorer.png, the page of a node of a network of five with a transaction verified. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NetworkProcesses } from "../../tools/network/processes.ts";
import { CHROMIUM, openBrowser, WITHOUT_CHROMIUM } from "./browser.ts";

const OUT = fileURLToPath(new URL("../../docs/explorer.png", import.meta.url));
const MAX_BYTES = 200_000;

async function put(url: string, key: string, value: string): Promise<string> {
  const answer = await fetch(`${url}/v1/transactions?wait=irreversible`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ put: { key, value } }),
  });
  return ((await answer.json()) as { readonly id: string }).id;
}

async function take(dir: string): Promise<void> {
  const network = NetworkProcesses.create({ dir, engine: "bft", producers: 4, followers: 1, basePort: 31_500 });
  const browser = await openBrowser();
  try {
    await network.startAll();
    const url = network.nodes[4]?.url as string;
    for (let i = 1; i <= 8; i++) await put(url, `order/${1000 + i}`, `${i} crates of apples`);
    const id = await put(url, "greeting", "hello");
    const page = await browser.newPage({ viewport: { width: 1200, height: 1080 }, colorScheme: "light" });
    await page.goto(`${url}/#/tx/${id}`);
    await page.getByRole("button", { name: "Verify" }).click();
    await page.locator("#result.good").waitFor();
    for (let i = 1; i <= 3; i++) await put(url, `order/${2000 + i}`, `${i} crates of pears`);
    await page.waitForTimeout(1_500);
    await page.evaluate("scrollTo(0, 0)");
    await page.screenshot({ path: OUT, animations: "disabled" });
  } finally {
    await browser.close();
    await network.endAll("SIGKILL");
  }
}

async function main(): Promise<number> {
  if (CHROMIUM === undefined) {
    process.stderr.write(`${WITHOUT_CHROMIUM}\n`);
    return 1;
  }
  const root = mkdtempSync(join(tmpdir(), "cairn-picture-"));
  try {
    await take(join(root, "net"));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  const { size } = statSync(OUT);
  process.stdout.write(`docs/explorer.png: ${size} bytes\n`);
  return size <= MAX_BYTES ? 0 : 1;
}

process.exitCode = await main();
