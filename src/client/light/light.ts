/**
 * A light client: knows the genesis file and nothing else, asks nodes that it does not trust, and takes only what they
 * prove (docs/proofs.md). Web platform APIs only.
 *
 *     import { LightClient } from "cairn/client/light";
 *
 *     const light = await LightClient.open(genesis, ["http://127.0.0.1:26601", "http://127.0.0.1:26611"]);
 *     const { head, nodes } = await light.sync();
 *     const { transaction, receipt, height } = await light.transaction(id);
 *
 * What it convinces of: under BFT, that no more than a third of the producers lie; under Raft and VSR, that none does.
 */
import { elementsRoot } from "./elementsRoot.ts";
import {
  BLOCK_PROOF_FORMAT,
  checkBlockProof,
  type BlockProof,
  type ProvenBlock,
} from "../../../consensus/blockProof.ts";
import type { HeadProof, ProvenHead } from "../../../consensus/headProof.ts";
import type { ProducersProof } from "../../../consensus/producersProof.ts";
import type { TrustedGenesis } from "../../../consensus/proofMembers.ts";
import type { ProvenTransaction } from "../../../consensus/transactionProof.ts";
import { fromBase64Url, toBase64Url } from "../../base/base64url.ts";
import { ClientError } from "../errors.ts";
import type { Platform } from "../platform.ts";
import { isObject } from "../shape.ts";
import { LightError } from "./errors.ts";
import { blockProofOf, type Claimed, forkEvidence } from "./evidence.ts";
import { LightNode, type Shown } from "./node.ts";
import { areSigned } from "./signatures.ts";
import { Trust } from "./trust.ts";
import { trustedGenesis } from "./trustedGenesis.ts";

export interface LightHead {
  readonly height: number;
  readonly id: string;
  /** Of its header, milliseconds since the epoch: how old is what is known. */
  readonly time: number;
}

/**
 * What a node was found to do. `behind`: its newest block is below what others prove. `wentBack`: below what it has shown
 * itself before, so it withholds. `lying`: what it sent does not hold. `forked`, in an error's details: it proves one of two
 * histories.
 */
export interface NodeReport {
  readonly url: string;
  readonly verdict: "current" | "behind" | "wentBack" | "lying" | "forked" | "unreachable";
  /** Of the newest block that it proved now. */
  readonly height?: number;
  readonly why?: string;
}

export interface SyncReport {
  readonly head: LightHead;
  readonly nodes: readonly NodeReport[];
}

export interface LightOptions {
  /** What {@link LightClient.state} gave in an earlier run. */
  readonly state?: unknown;
  /** For one answer of a node, ms. Default: 10,000. */
  readonly timeoutMs?: number;
  /** In place of the web platform's own, for tests. */
  readonly platform?: Partial<Platform>;
}

/** A block whose header is proven, with all its transactions. */
export interface LightBlock extends ProvenBlock {
  readonly transactions: readonly Uint8Array[];
}

/** What is kept: a proof of the head, and of how the producer set came to be that signed it, if it ever changed. */
export type LightState = BlockProof & { readonly producers?: readonly ProducersProof[] };

interface Known extends Claimed {
  readonly head: LightHead;
}
type HeadShown = Shown<ProvenHead, HeadProof>;

const TIMEOUT_MS = 10_000;

export class LightClient {
  #trust: Trust;
  readonly #nodes: readonly LightNode[];
  /** Greatest height that each node has proven. */
  readonly #shown = new Map<string, number>();
  #known: Known | undefined;

  private constructor(trust: Trust, nodes: readonly LightNode[], known: Known | undefined) {
    this.#trust = trust;
    this.#nodes = nodes;
    this.#known = known;
  }

  /**
   * @param genesis the JSON of the chain's genesis.json, from somebody who is trusted
   * @throws LightError GENESIS_INVALID, STATE_INVALID; ClientError INVALID_ARGUMENT
   */
  static async open(genesis: unknown, urls: readonly string[], options: LightOptions = {}): Promise<LightClient> {
    const trust = new Trust(trustedGenesis(genesis));
    const { platform = {}, timeoutMs = TIMEOUT_MS, state } = options;
    const nodes = urls.map((url) => new LightNode(url, platform, timeoutMs));
    return new LightClient(trust, nodes, state === undefined ? undefined : await knownOf(state, trust));
  }

  /** With the changes of the producer set that were proven so far. */
  get genesis(): TrustedGenesis {
    return this.#trust.genesis;
  }

  /** In words: whom it trusts, beyond the genesis and mathematics. */
  get trust(): string {
    return this.genesis.engine === "bft"
      ? "fewer than a third of the producers lie"
      : "no producer lies; they may crash";
  }

  /** The newest block that is proven; undefined before the first {@link sync}. */
  get head(): LightHead | undefined {
    return this.#known?.head;
  }

  /** To be kept for a later run: the proof of the head, and those of the changes of the producer set. */
  get state(): LightState | undefined {
    if (this.#known === undefined) return undefined;
    const { proof, trust } = this.#known;
    return trust.proofs.length === 0 ? proof : { ...proof, producers: trust.proofs };
  }

  /**
   * Asks all nodes for their newest block and a proof that it goes on from the one that is known, and takes the newest.
   * @throws LightError NOT_PROVEN when no node proves anything, FORKED with evidence
   */
  async sync(): Promise<SyncReport> {
    const from = this.#known;
    const trust = this.#trust.copy();
    const shown = await Promise.all(this.#nodes.map((node) => this.#headOf(node, from?.head.height ?? 0, trust)));
    const reports = this.#nodes.map((node, i) => this.#report(node, shown[i] as HeadShown));
    const proven = this.#nodes.flatMap((node, i): Proven[] => {
      const each = shown[i] as HeadShown;
      return each.kind === "proven" ? [{ node, ...each }] : [];
    });
    const other = proven.find(({ value, proof }) => proof.from === from?.head.height && value.fromId !== from.head.id);
    if (from !== undefined && other !== undefined)
      throw forked(from, { proof: blockProofOf(other.proof), trust: other.trust }, reports, [other.node]);
    const best = await this.#newestOf(proven, from?.head.height ?? 0, reports);
    if (best === undefined) {
      const nodes = Object.fromEntries(reports.map(({ url, height, why = `is at height ${height}` }) => [url, why]));
      throw new LightError("NOT_PROVEN", "no node proves a newer block, or any", { nodes, reports });
    }
    const { height, id, header } = best.value;
    this.#trust = best.trust.copy();
    this.#known = { head: { height, id, time: header.time }, ...claimed(best) };
    return { head: this.#known.head, nodes: reports.map((each) => judged(each, height)) };
  }

  /**
   * A block, its header proven, its transactions complete and in order.
   * @throws LightError NOT_PROVEN
   */
  async block(height: number): Promise<LightBlock> {
    return this.#first(async (node) => {
      const shown = await node.block(height, this.#trust);
      if (shown.kind !== "proven") return shown;
      const transactions = transactionsOf(await node.body(height).catch(asNothing));
      const root = transactions && elementsRoot(transactions);
      if (transactions === undefined || root !== shown.value.header.transactionRoot)
        return { kind: "untrue", why: "its transactions are not those of the header's transactionRoot" };
      return { ...shown, value: { ...shown.value, transactions } };
    });
  }

  /**
   * A transaction with its receipt and its place.
   * @throws LightError NOT_PROVEN
   */
  transaction(id: string): Promise<ProvenTransaction> {
    return this.#first((node) => node.transaction(id, this.#trust));
  }

  /** The first answer that holds. */
  async #first<T>(ask: (node: LightNode) => Promise<Shown<T, unknown>>): Promise<T> {
    const why: Record<string, string> = {};
    for (const node of this.#nodes) {
      const shown = await ask(node);
      if (shown.kind === "proven") return shown.value;
      why[node.url] = shown.why;
    }
    throw new LightError("NOT_PROVEN", `no node proves it: ${Object.values(why).join("; ")}`, { nodes: why });
  }

  /** Who does not have the block that is known is asked what it has beyond its own newest: behind is no lie. */
  async #headOf(node: LightNode, from: number, trust: Trust): Promise<HeadShown> {
    const shown = await node.head(from, trust);
    const before = this.#shown.get(node.url) ?? 0;
    return isWithout(shown) && before < from ? node.head(before, trust) : shown;
  }

  #report({ url }: LightNode, shown: HeadShown): NodeReport {
    const before = this.#shown.get(url);
    if (shown.kind === "untrue") return { url, verdict: "lying", why: shown.why };
    if (shown.kind === "none") {
      const verdict = !isWithout(shown) ? "unreachable" : before === undefined ? "behind" : "wentBack";
      return { url, verdict, why: shown.why };
    }
    const { height } = shown.value;
    this.#shown.set(url, Math.max(before ?? 0, height));
    return { url, height, verdict: height < (before ?? 0) ? "wentBack" : "current" };
  }

  /**
   * The newest whose history those of all others are the beginning of. Who does not show what its own history has where
   * another's ends is not believed: there are two, or it is gone.
   */
  async #newestOf(proven: readonly Proven[], from: number, reports: NodeReport[]): Promise<Proven | undefined> {
    const left = proven.toSorted((a, b) => b.value.height - a.value.height);
    for (let best = left.shift(); best !== undefined && best.value.height >= from; best = left.shift()) {
      const silence = await this.#compare(best, left, reports);
      if (silence === undefined) return best;
      const { url } = best.node;
      const verdict = isWithout(silence) ? "wentBack" : silence.kind === "none" ? "unreachable" : "lying";
      reports[this.#nodes.indexOf(best.node)] = { url, verdict, why: silence.why };
    }
    return undefined;
  }

  /**
   * Two that both go on from what is known may still be of two histories.
   * @returns what the node says in place of one of its blocks
   * @throws LightError FORKED
   */
  async #compare(
    best: Proven,
    others: readonly Proven[],
    reports: readonly NodeReport[],
  ): Promise<Exclude<Shown<ProvenBlock, BlockProof>, { readonly kind: "proven" }> | undefined> {
    const ids = new Map([[best.value.height, { id: best.value.id, ...claimed(best) }]]);
    for (const other of others) {
      const { height, id } = other.value;
      let mine = ids.get(height);
      if (mine === undefined) {
        const shown = await best.node.ownBlock(height, best.trust);
        if (shown.kind !== "proven") return shown;
        mine = { id: shown.value.id, proof: shown.proof, trust: shown.trust };
        ids.set(height, mine);
      }
      if (mine.id !== id) throw forked(mine, claimed(other), reports, [best.node, other.node]);
    }
    return undefined;
  }
}

interface Proven {
  readonly node: LightNode;
  readonly value: ProvenHead;
  readonly proof: HeadProof;
  readonly trust: Trust;
}

/** It has no such block, or no certificate of it or above it. */
function isWithout(shown: Shown<unknown, unknown>): boolean {
  return shown.kind === "none" && (shown.code === "BLOCK_NOT_FOUND" || shown.code === "NO_PROOF");
}

/** @param nodes that show one history or the other */
function forked(
  first: Claimed,
  second: Claimed,
  reports: readonly NodeReport[],
  nodes: readonly LightNode[],
): LightError {
  const isOne = (url: string): boolean => nodes.some((node) => node.url === url);
  const message = `two histories are certified: they differ at height ${first.proof.height}`;
  return new LightError("FORKED", message, {
    evidence: forkEvidence(first, second),
    nodes: Object.fromEntries(reports.map(({ url, verdict }) => [url, isOne(url) ? "forked" : verdict])),
  });
}

function judged(report: NodeReport, newest: number): NodeReport {
  const isBehind = report.verdict === "current" && (report.height ?? 0) < newest;
  return isBehind ? { ...report, verdict: "behind" } : report;
}

/** Its newest block, the certified one itself. */
function claimed({ value: { height, headerBytes }, proof: { chainId, certificate }, trust }: Proven): Claimed {
  const header = toBase64Url(headerBytes);
  const proof = { format: BLOCK_PROOF_FORMAT, chainId, height, header, historyPath: [], certificate } as const;
  return { proof, trust };
}

async function knownOf(state: unknown, trust: Trust): Promise<Known> {
  const invalid = (why: string): LightError => new LightError("STATE_INVALID", `what was kept does not hold: ${why}`);
  const { producers, ...proof } = isObject(state) ? state : {};
  const unproven = producers === undefined ? undefined : await trust.learnAll(producers);
  if (unproven !== undefined) throw invalid(unproven);
  const checked = checkBlockProof(proof, trust.genesis);
  if (!checked.ok) throw invalid(`${checked.error.field} ${checked.error.detail}`);
  if (!(await areSigned(checked.value.claims))) throw invalid("a signature is not its signer's");
  const { height, id, header } = checked.value;
  return { head: { height, id, time: header.time }, proof: proof as unknown as BlockProof, trust: trust.copy() };
}

function transactionsOf(body: unknown): Uint8Array[] | undefined {
  const list = isObject(body) ? body["transactions"] : undefined;
  if (!Array.isArray(list)) return undefined;
  const found = list.map((each: unknown) => {
    const bytes = isObject(each) ? each["bytes"] : undefined;
    return typeof bytes === "string" ? fromBase64Url(bytes) : undefined;
  });
  return found.every((bytes) => bytes !== undefined) ? found : undefined;
}

function asNothing(error: unknown): undefined {
  if (error instanceof ClientError) return undefined;
  throw error;
}
