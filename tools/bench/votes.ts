/**
 * `cairn bench votes`: CPU time that one producer spends on the votes of a block under BFT, with real signatures, beside
 * that of checking as many signatures as a quorum has. The replica is the product's; what the others say is made beforehand.
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
import { State } from "../../chain/state.ts";
import { voteDigest } from "../../consensus/bft/messages.ts";
import { quorumOf } from "../../consensus/bft/rules.ts";
import { CONSENSUS_DEFAULTS } from "../../consensus/constants.ts";
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
  readonly json?: boolean;
}

interface Row {
  readonly producers: number;
  /** CPU time a block, ms: all that is done for the votes that come in. */
  readonly votesMs: number;
  /** Of that, inside signature checks. */
  readonly checksMs: number;
  /** Signatures checked a block, and as many as the quorums need beside one's own. */
  readonly checked: number;
  readonly needed: number;
  /** As many checks as are needed, at the cost of one here. */
  readonly neededMs: number;
}

/** @returns exit status */
export function run(argv: readonly string[]): number {
  const command = new Command("bench votes")
    .description("CPU a block that one BFT producer spends on votes, with real signatures, by the number of producers.")
    .option("--producers <list>", "producers", integers(4, 200), [4, 10, 31, 100])
    .option("--blocks <n>", "blocks measured; the medians are told", integer(1, 10_000), 50)
    .option("--json", "the report as JSON");
  const status = parse(command, argv);
  if (status !== undefined) return status;
  const { producers, blocks, json } = command.opts<Flags>();
  const rows = producers.map((count) => measure(count, blocks));
  process.stdout.write(
    json ? `${JSON.stringify({ machine: machine(), blocks, rows }, null, 2)}\n` : table(blocks, rows),
  );
  return 0;
}

/** Blocks before those that are measured: code warms up. */
const WARM_UP_BLOCKS = 20;
const START_MS = 1_700_000_000_000;
const BLOCK_INTERVAL_MS = 10;

function measure(producers: number, blocks: number): Row {
  const bench = new Bench(producers);
  const costs: ReturnType<Bench["block"]>[] = [];
  for (let i = 0; i < WARM_UP_BLOCKS + blocks; i++) {
    const cost = bench.block();
    if (i >= WARM_UP_BLOCKS) costs.push(cost);
  }
  const median = (of: (cost: (typeof costs)[number]) => number): number => quantile(costs.map(of), 0.5);
  const needed = 2 * (bench.quorum - 1);
  const [checksMs, checked] = [median((cost) => cost.checksMs), median((cost) => cost.checked)];
  return {
    producers,
    votesMs: median((cost) => cost.totalMs),
    checksMs,
    checked,
    needed,
    neededMs: (needed * checksMs) / checked,
  };
}

class Bench {
  readonly quorum: number;
  readonly #genesis: Genesis;
  readonly #keys: readonly NodeKey[];
  readonly #producers: ProducerKeys;
  /** Makes the leader's blocks. */
  readonly #ledger: Ledger;
  readonly #replica: Replica;
  #now = START_MS;
  #checked = 0;
  #checksMs = 0;

  constructor(producers: number) {
    this.#keys = Array.from({ length: producers }, generateNodeKey);
    this.#genesis = makeGenesis(this.#keys);
    this.#producers = producerKeys(this.#genesis, this.#keys, 1);
    this.quorum = quorumOf(this.#genesis.configuration);
    const { block } = makeGenesisBlock(this.#genesis, createKvApplication());
    const kit = engineKit(this.#genesis, block.id);
    const bottom = { block, frontier: genesisFrontier(block) };
    this.#ledger = new Ledger(settingOf(this.#genesis), bottom, kit.headerRule);
    const self = this.#keys[0] as NodeKey;
    this.#replica = new Replica(
      {
        genesis: this.#genesis,
        application: createKvApplication(),
        settings: CONSENSUS_DEFAULTS,
        self: self.publicKey,
        sign: (digest) => self.sign(digest),
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

  /** One block of the leader, then everybody's prepares, then everybody's commits. */
  block(): { readonly totalMs: number; readonly checksMs: number; readonly checked: number } {
    const node = this.#make();
    const frames = [false, true].flatMap((commit) => this.#votes(commit, node));
    this.#receive(node.block.header.producer, "chain", concatBytes(BLOCK_PREFIX, ...encodeBlockParts(node.block)));
    [this.#checked, this.#checksMs] = [0, 0];
    const before = process.cpuUsage();
    for (const { from, frame } of frames) this.#receive(from, "urgent", frame);
    const { user, system } = process.cpuUsage(before);
    if (this.#replica.ledger.bottom.id !== node.id) throw new Error(`block ${node.height} was not decided`);
    return { totalMs: (user + system) / 1000, checksMs: this.#checksMs, checked: this.#checked };
  }

  #make(): BlockNode {
    this.#now += BLOCK_INTERVAL_MS;
    const { leader } = this.#producers;
    const producer = leader.publicKey;
    const { head } = this.#ledger;
    this.#ledger.startBlock({ ...this.#producers.place(head), view: 1, time: this.#now, producer, closing: false });
    const { chainId } = this.#genesis;
    const node = this.#ledger.finishBlock((id) => leader.sign(signingDigest("block", chainId, hexBytes(id))));
    this.#ledger.work(Number.POSITIVE_INFINITY);
    return node;
  }

  #votes(commit: boolean, { view, height, id }: BlockNode): { readonly from: string; readonly frame: Uint8Array }[] {
    const vote = { view, height, id };
    const digest = voteDigest(this.#genesis.chainId, commit, vote);
    const destinations = [(this.#keys[0] as NodeKey).publicKey];
    return this.#keys.slice(1).map((key) => {
      const payload = encodeVotes({ signer: key.publicKey, votes: [{ commit, vote, signature: key.sign(digest) }] });
      const envelope = { source: key.publicKey, destinations, ttl: 8, broadcast: false };
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
        return [
          { kind: "signaturesChecked", batch: effect.batch, valid: effect.claims.map((claim) => this.#check(claim)) },
        ];
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

  #check(claim: SignatureClaim): boolean {
    const began = performance.now();
    const valid = verifySignature(claim);
    this.#checksMs += performance.now() - began;
    this.#checked++;
    return valid;
  }
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
function settingOf({ limits }: Genesis): ExecutionSetting {
  const state = new State({ get: () => undefined, range: () => [] }, 0);
  return { application: createKvApplication(), limits, state, duplicates: new DuplicateWindow(1) };
}

const NO_BLOCKS = {
  file: "",
  byId: () => undefined,
  byHeight: () => undefined,
  idAt: () => undefined,
  idsFrom: () => [],
  range: () => [],
  heightOf: () => undefined,
};

function table(blocks: number, rows: readonly Row[]): string {
  const lines = [
    `machine: ${JSON.stringify(machine())}; ${blocks} blocks, one at a time; medians a block`,
    "",
    "| producers | checked | needed by quorums | CPU on votes, ms | of that in checks, ms | needed checks alone, ms | votes / needed checks |",
    "|--:|--:|--:|--:|--:|--:|--:|",
    ...rows.map(
      ({ producers, checked, needed, votesMs, checksMs, neededMs }) =>
        `| ${producers} | ${checked} | ${needed} | ${round(votesMs)} | ${round(checksMs)} | ${round(neededMs)} | ${round(votesMs / neededMs)} |`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}
