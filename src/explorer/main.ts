/**
 * The explorer page of a node, served at `/`. It shows what the node says, as it comes, and lets the browser verify a
 * transaction by itself. No framework, nothing from elsewhere: a strict Content-Security-Policy holds it to that.
 */
import { ask, NodeError, type Peer, type Producer, type ShownBlock, type Status } from "./answers.ts";
import { detailsOf } from "./details.ts";
import { part } from "./dom.ts";
import { BLOCKS_SHOWN, blockRow, peerRow, producerRow, statusFacts } from "./panels.ts";

/** How often the node is asked for its status, ms. */
const STATUS_EVERY_MS = 1_000;

/** By key. */
let names: ReadonlyMap<string, string> = new Map();
/** Newest first. */
let blocks: readonly ShownBlock[] = [];
let stream: EventSource | undefined;

async function showStatus(): Promise<void> {
  try {
    const [status, { producers }, { peers }] = await Promise.all([
      ask<Status>("/v1/status"),
      ask<{ readonly producers: readonly Producer[] }>("/v1/producers"),
      ask<{ readonly peers: readonly Peer[] }>("/v1/peers"),
    ]);
    names = new Map(producers.map(({ key, name }) => [key, name]));
    document.title = `${status.name}: ${status.node.name}`;
    part("name").textContent = status.name;
    part("chain").textContent = status.chainId;
    part("chain").title = `chain id ${status.chainId}`;
    part("status").replaceChildren(...statusFacts(status));
    part("producers").replaceChildren(...producers.map((each) => producerRow(each, status.consensus.leader)));
    part("peers").replaceChildren(...peers.map(peerRow));
    trouble("");
  } catch (error) {
    trouble(wordsOf(error));
  }
}

/** The last blocks, and from then on each as it becomes irreversible. While nobody looks, nothing is streamed. */
async function followBlocks(): Promise<void> {
  stream?.close();
  if (document.hidden) return;
  const { irreversible } = await ask<Status>("/v1/status");
  const from = Math.max(0, irreversible.height - BLOCKS_SHOWN + 1);
  const page = await ask<{ readonly blocks: readonly ShownBlock[] }>(
    `/v1/blocks?from=${from}&limit=${BLOCKS_SHOWN}&transactions=false`,
  );
  blocks = page.blocks.filter(({ height }) => height <= irreversible.height).reverse();
  showBlocks();
  stream?.close();
  stream = new EventSource(`/v1/stream?from=${irreversible.height + 1}`);
  stream.addEventListener("message", ({ data }) => {
    const { transactions: _, receipts: __, ...block } = JSON.parse(String(data)) as ShownBlock;
    blocks = [block, ...blocks].slice(0, BLOCKS_SHOWN);
    // Once a frame, however fast they come.
    requestAnimationFrame(showBlocks);
  });
}

function showBlocks(): void {
  part("blocks").replaceChildren(...blocks.map((block) => blockRow(block, names)));
}

/** What the address names after `#/`. */
async function showDetails(): Promise<void> {
  const shown = part("shown");
  const [, kind, what] = location.hash.split("/").map(decodeURIComponent);
  if (kind === undefined || what === undefined) {
    shown.hidden = true;
    return shown.replaceChildren();
  }
  const hash = location.hash;
  const content = await detailsOf(kind, what).catch((error: unknown) => [document.createTextNode(wordsOf(error))]);
  if (location.hash !== hash) return;
  shown.replaceChildren(...content);
  shown.hidden = false;
  shown.scrollIntoView({ block: "nearest" });
}

function trouble(words: string): void {
  part("trouble").hidden = words === "";
  part("trouble").textContent = words;
}

function wordsOf(error: unknown): string {
  if (error instanceof NodeError) return error.message;
  console.error(error);
  return `this page failed: ${String(error)}`;
}

function begin(): void {
  part("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const what = (part("ref") as HTMLInputElement).value.trim().toLowerCase();
    if (what !== "") location.hash = `#/find/${encodeURIComponent(what)}`;
  });
  const follow = (): void => void followBlocks().catch((error: unknown) => trouble(wordsOf(error)));
  window.addEventListener("hashchange", () => void showDetails());
  document.addEventListener("visibilitychange", follow);
  const again = (): void => void showStatus().then(() => setTimeout(again, STATUS_EVERY_MS));
  again();
  follow();
  void showDetails();
}

begin();
