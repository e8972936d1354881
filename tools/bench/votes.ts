/**
 * `cairn bench votes`: time that one producer spends on the votes of a block under BFT, on one thread, with real signatures,
 * beside that of checking as many signatures as a quorum has. The replica is the product's; what the others say is made
 * beforehand. A machine whose cores are free makes it CPU time.
 */
import { Command } from "commander";
import { encodeBlockParts } from "../../chain/block.ts";
import { DuplicateWindow } from "../../chain/duplicateWindow.ts";
import type { ExecutionSetting } from "../../chain/execution.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { Genesis } from "../../chain/genesis.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { Ledger } from "../../chain/ledger.ts";
import { type SignatureClaim, signingDigest } from "../../chain/signing.ts";
import { firstSets } from "../../chain/producerSets.ts";
import { State } from "../../chain/state.ts";
import { voteDigest } from "../../consensus/bft/messages.ts";
import { CONSENSUS_DEFAULTS, WINDOW_BLOCKS } from "../../consensus/constants.ts";
import { engineKit } from "../../consensus/engines.ts";
import { BLOCK_PREFIX, encodeVotes } from "../../consensus/messages.ts";
import type { Lane } from "../../net/link/types.ts";
import { encodeEnvelope } from "../../net/transport/envelope.ts";
import { concatBytes, hexBytes } from "../../src/base/bytes.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { parseGenesis, toGenesis } from "../../src/node/genesisFile.ts";
import { generateNodeKey, type NodeKey } from "../../src/node/keys.ts";
import { verifySignature } from "../../src/node/signatures.ts";
import { genesisFrontier, makeBlockLog } from "../../src/node/storedBlocks.ts";
import { Replica } from "../../src/replica/replica.ts";
import type { Effect, Input } from "../../src/replica/types.ts";
import { type ProducerKeys, producerKeys } from "../network/producerKeys.ts";
import { integer, integers, machine } from "./flags.ts";
import { parse } from "./parse.ts";
import { quantile, round } from "./statistics.ts";

interface Flags {
  readonly producers: readonly number[];
  readonly blocks: number;
  readonly together: readonly number[];
  readonly json?: boolean;
}

interface Row {
  readonly producers: number;
  /** Blocks whose votes come in one frame. */
  readonly together: number;
  /** Signatures checked a block; the commits that come after the decision are not. */
  readonly checked: number;
  /** Time a block, ms: all that is done for the votes that come in. */
  readonly votesMs: number;
  /** The same checks alone, ms. */
  readonly checksMs: number;
  /** Votes in proportion to their checks and the signature of one's own commit. */
  readonly share: number;
}

/** @returns exit status */
export function run(argv: readonly string[]): number {
  const command = new Command("bench votes")
    .description("CPU a block that one BFT producer spends on votes, with real signatures, by the number of producers.")
    .option("--producers <list>", "producers", integers(4, 200), [4, 10, 31, 100])
    .option("--blocks <n>", "blocks measured; the medians are told", integer(1, 10_000), 50)
    .option("--together <list>", "blocks in flight, whose votes come in one frame", integers(1, WINDOW_BLOCKS), [1, 8])
    .option("--json", "the report as JSON");
  const status = parse(command, argv);
  if (status !== undefined) return status;
  const { producers, blocks, together, json } = command.opts<Flags>();
  const rows = producers.flatMap((count) => together.map((size) => measure(count, blocks, size)));
  process.stdout.write(
    json ? `${JSON.stringify({ machine: machine(), blocks, rows }, null, 2)}\n` : table(blocks, rows),
  );
  return 0;
}

/** Votes before those that are measured: code warms up. */
const WARM_UP_VOTES = 6_000;
const START_MS = 1_700_000_000_000;
const BLOCK_INTERVAL_MS = 10;

function measure(producers: number, blocks: number, together: number): Row {
  const bench = new Bench(producers);
  const costs: ReturnType<Bench["blocks"]>[] = [];
  const warmUp = Math.ceil(WARM_UP_VOTES / (2 * producers));
  for (let made = 0; made < warmUp + blocks; made += together) {
    const cost = bench.blocks(together);
    if (made >= warmUp) costs.push(cost);
  }
  const median = (of: (cost: (typeof costs)[number]) => number): number => quantile(costs.map(of), 0.5) / together;
  return {
    producers,
    together,
    checked: median((cost) => cost.checked),
    votesMs: median((cost) => cost.totalMs),
    checksMs: median((cost) => cost.checksMs),
    share: together * median((cost) => cost.totalMs / (cost.checksMs + cost.signingMs)),
  };
}

class Bench {
  readonly #genesis: Genesis;
  readonly #keys: readonly NodeKey[];
  readonly #producers: ProducerKeys;
  readonly #self: NodeKey;
  /** Makes the leader's blocks. */
  readonly #ledger: Ledger;
  readonly #replica: Replica;
  #now = START_MS;
  #claims: SignatureClaim[] = [];
  #signed: Uint8Array[] = [];

  constructor(producers: number) {
    this.#keys = Array.from({ length: producers }, generateNodeKey);
    this.#genesis = makeGenesis(this.#keys);
    this.#producers = producerKeys(this.#genesis, this.#keys, 1);
    const { block } = makeGenesisBlock(this.#genesis, createKvApplication());
    const kit = engineKit(this.#genesis, block.id);
    const bottom = { block, frontier: genesisFrontier(block), producerSets: firstSets(this.#genesis.configuration) };
    this.#ledger = new Ledger(settingOf(this.#genesis), bottom, kit.headerRule);
    const self = (this.#self = this.#keys[0] as NodeKey);
    this.#replica = new Replica(
      {
        genesis: this.#genesis,
        application: createKvApplication(),
        settings: CONSENSUS_DEFAULTS,
        self: self.publicKey,
        sign: (digest) => {
          this.#signed.push(digest);
          return self.sign(digest);
        },
        verify: verifySignature,
        execution: settingOf(this.#genesis),
        bottom,
        certificate: new Uint8Array(0),
        blocks: [],
        log: makeBlockLog(NO_BLOCKS, block, () => undefined),
        record: kit.initialRecord(),
        seed: 1,
      },
      this.#now,
    );
    this.#step({ kind: "tick" });
    for (const { publicKey: peer } of this.#keys.slice(1)) this.#step({ kind: "peerUp", peer });
  }

  /** Blocks of the leader, then everybody's prepares, then everybody's commits. */
  blocks(count: number) {
    const nodes = Array.from({ length: count }, () => this.#make());
    const frames = [false, true].flatMap((commit) => this.#votes(commit, nodes));
    for (const { block } of nodes)
      this.#receive(block.header.producer, "chain", concatBytes(BLOCK_PREFIX, ...encodeBlockParts(block)));
    this.#claims = [];
    this.#signed = [];
    const began = performance.now();
    for (const { from, frame } of frames) this.#receive(from, "urgent", frame);
    const totalMs = performance.now() - began;
    if (this.#replica.ledger.bottom.id !== nodes.at(-1)?.id) throw new Error("not all was decided");
    const [claims, signed] = [this.#claims, this.#signed];
    return {
      totalMs,
      checked: claims.length,
      checksMs: timeOf(() => {
        if (!claims.every(verifySignature)) throw new Error("a signature is not valid");
      }),
      signingMs: timeOf(() => signed.forEach((digest) => void this.#self.sign(digest))),
    };
  }

  #make(): BlockNode {
    this.#now += BLOCK_INTERVAL_MS;
    const { head } = this.#ledger;
    const { leader, ...place } = this.#producers.place(head);
    this.#ledger.startBlock({ ...place, time: this.#now, producer: leader.publicKey, closing: false });
    const { chainId } = this.#genesis;
    const node = this.#ledger.finishBlock((id) => leader.sign(signingDigest("block", chainId, hexBytes(id))));
    this.#ledger.work(Number.POSITIVE_INFINITY);
    return node;
  }

  #votes(commit: boolean, nodes: readonly BlockNode[]): { readonly from: string; readonly frame: Uint8Array }[] {
    const refs = nodes.map(({ view, height, id }) => ({ view, height, id }));
    const digests = refs.map((ref) => voteDigest(this.#genesis.chainId, commit, ref));
    const destinations = [this.#self.publicKey];
    return this.#keys.slice(1).map((key) => {
      const votes = refs.map((vote, i) => ({ commit, vote, signature: key.sign(digests[i] as Uint8Array) }));
      const envelope = { source: key.publicKey, destinations, ttl: 8, broadcast: false };
      const payload = encodeVotes({ signer: key.publicKey, votes });
      return { from: key.publicKey, frame: concatBytes(...encodeEnvelope(envelope, payload)) };
    });
  }

  #receive(from: string, lane: Lane, frame: Uint8Array): void {
    this.#step({ kind: "received", from, lane, frame });
  }

  /** The disk is ready at once: what follows from a step follows now. */
  #step(input: Input): void {
    const inputs = [input];
    for (let next = inputs.shift(); next !== undefined; next = inputs.shift()) {
      for (const effect of this.#replica.step(next, this.#now)) inputs.push(...this.#answers(effect));
    }
  }

  #answers(effect: Effect): Input[] {
    switch (effect.kind) {
      case "persist":
        return [{ kind: "persisted", token: effect.token }];
      case "checkSignatures":
        this.#claims.push(...effect.claims);
        return [{ kind: "signaturesChecked", batch: effect.batch, valid: effect.claims.map(verifySignature) }];
      case "flush":
        return [{ kind: "flushed", height: effect.flush.height }];
      case "continue":
        return [{ kind: "continue" }];
      case "halt":
        throw new Error(effect.why);
      default:
        return [];
    }
  }
}

function timeOf(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

function makeGenesis(keys: readonly NodeKey[]): Genesis {
  const parsed = parseGenesis({
    name: "bench",
    time: START_MS,
    engine: "bft",
    producers: keys.map(({ publicKey: key }, i) => ({ name: `node${i}`, key, address: `127.0.0.1:${26_600 + i}` })),
    application: { name: "kv", initialState: {} },
  });
  if (!parsed.ok) throw new Error(parsed.error.message);
  return toGenesis(parsed.value);
}

/** Blocks are empty: there is no state. */
function settingOf({ engine, limits }: Genesis): ExecutionSetting {
  const state = new State({ get: () => undefined, range: () => [] }, 0);
  return { application: createKvApplication(), engine, limits, state, duplicates: new DuplicateWindow(1) };
}

const NO_BLOCKS = {
  file: "",
  byId: () => undefined,
  byHeight: () => undefined,
  idAt: () => undefined,
  idsFrom: () => [],
  changeProving: () => undefined,
  range: () => [],
  heightOf: () => undefined,
};

function table(blocks: number, rows: readonly Row[]): string {
  const lines = [
    `machine: ${JSON.stringify(machine())}; ${blocks} blocks; medians a block`,
    "",
    "| producers | blocks a frame | signatures checked | votes, ms | the checks alone, ms | votes / (checks + own signature) |",
    "|--:|--:|--:|--:|--:|--:|",
    ...rows.map(
      ({ producers, together, checked, votesMs, checksMs, share }) =>
        `| ${producers} | ${together} | ${checked} | ${round(votesMs)} | ${round(checksMs)} | ${round(share)} |`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}
