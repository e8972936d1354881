/**
 * Whom running nodes name as liars, by evidence that is checked here once more; and a run in which one of four producers
 * makes two blocks at each place: every honest node names it in bounded time, also after `kill -9`, and names nobody else.
 */
import { checkProducerEvidence, type ProducerEvidence } from "../../consensus/producerEvidence.ts";
import { ChainDirectory } from "../../src/node/chainDirectory.ts";
import { parseGenesis, toGenesis } from "../../src/node/genesisFile.ts";
import { verifySignature } from "../../src/node/signatures.ts";
import type { ProducerView } from "../../src/node/api.ts";
import { Load } from "./acknowledged.ts";
import { LIAR, type NodeProcess, poll, withNetwork } from "./processes.ts";

/** A lie is found out within this, where the liar leads within it, ms: a view of a second, a busy machine. */
const NAMED_WITHIN_MS = 60_000;

async function ask<T>(node: NodeProcess, path: string): Promise<T> {
  const response = await fetch(`${node.url}${path}`, { signal: AbortSignal.timeout(NAMED_WITHIN_MS) });
  return (await response.json()) as T;
}

async function heldAt(node: NodeProcess): Promise<readonly ProducerEvidence[]> {
  return (await ask<{ readonly evidence: readonly ProducerEvidence[] }>(node, "/v1/evidence")).evidence;
}

/** Waits until each of these nodes holds evidence against a producer. */
export function awaitNamed(nodes: readonly NodeProcess[], producer: string): Promise<true> {
  return poll("all name the liar", NAMED_WITHIN_MS, async () => {
    const held = await Promise.all(nodes.map(heldAt));
    return held.every((pieces) => pieces.some((piece) => piece.producer === producer)) ? true : undefined;
  });
}

/** What is wrong with what these nodes say of producers when only this one has lied; empty: nothing. */
export async function accusationFaults(nodes: readonly NodeProcess[], liar: string): Promise<string[]> {
  const faults: string[] = [];
  for (const node of nodes) {
    const { name } = node.node;
    const genesis = parseGenesis(await ask(node, "/v1/genesis"));
    if (!genesis.ok) throw new Error(genesis.error.message);
    const pieces = await heldAt(node);
    if (pieces.length === 0) faults.push(`${name} names nobody`);
    for (const piece of pieces) {
      const checked = checkProducerEvidence(piece, toGenesis(genesis.value));
      if (!checked.ok || !checked.value.claims.every(verifySignature))
        faults.push(`${name} holds evidence that is none: ${checked.ok ? "a signature" : checked.error.field}`);
      if (piece.producer !== liar) faults.push(`${name} names ${piece.producer}, which is honest: ${piece.kind}`);
    }
    const { producers } = await ask<{ readonly producers: readonly ProducerView[] }>(node, "/v1/producers");
    const shown = producers.find(({ key }) => key === liar);
    if (shown?.state !== "faulty" || shown.because === "silent")
      faults.push(`${name} shows the liar as ${shown?.state}`);
  }
  return faults;
}

export interface AccusationOptions {
  readonly basePort: number;
  readonly note: (text: string) => void;
}

export interface AccusationReport {
  /** From the first lie to the moment at which the last honest node names the liar, milliseconds. */
  readonly namedAfterMs: number;
  /** Pieces that one node holds that was killed and started again with nobody to tell it. */
  readonly keptAlone: number;
  /** What is wrong; empty: nothing. */
  readonly faults: readonly string[];
}

/** It leads the first view. */
const LIAR_INDEX = 1;

export async function runAccusation({ basePort, note }: AccusationOptions): Promise<AccusationReport> {
  return withNetwork({ engine: "bft", producers: 4, followers: 1, basePort }, async (network) => {
    const liar = network.nodes[LIAR_INDEX] as NodeProcess;
    const honest = network.nodes.filter((node) => node !== liar);
    const alone = honest[0] as NodeProcess;
    const { key } = liar.node;
    const lying = ["--lies", "bothBlocks", "--each", "3600", "--tenure", "50"];
    await Promise.all([...honest.map((node) => node.start()), liar.start(lying, LIAR)]);
    const began = performance.now();
    const load = new Load(honest);
    await awaitNamed(honest, key);
    const namedAfterMs = Math.round(performance.now() - began);
    note(`named everywhere after ${namedAfterMs} ms`);
    await alone.end("SIGKILL");
    await alone.start();
    const faults = await accusationFaults(honest, key);
    await load.stop();

    // All die; one comes back with nobody to tell it.
    await network.endAll("SIGKILL");
    await alone.start();
    const keptAlone = (await heldAt(alone)).length;
    faults.push(...(await accusationFaults([alone], key)));
    note(`${keptAlone} pieces kept`);

    await Promise.all(honest.filter((node) => node !== alone).map((node) => node.start()));
    await network.awaitEqual();
    faults.push(...(await accusationFaults(honest, key)));
    for (const node of honest) if ((await node.end("SIGTERM")) !== 0) faults.push(`${node.node.name} did not end well`);
    for (const node of honest) if (keptIn(node) === 0) faults.push(`nothing in the directory of ${node.node.name}`);
    return { namedAfterMs, keptAlone, faults };
  });
}

function keptIn({ node }: NodeProcess): number {
  const chain = ChainDirectory.open(node.dir);
  try {
    return chain.evidence().length;
  } finally {
    chain.close();
  }
}
