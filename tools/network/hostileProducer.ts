/**
 * `node hostileProducer.js start DIR --each SECONDS --tenure BLOCKS [--lies NAME,...]`: a producer as `cairn start DIR` runs it, with the
 * product's replica, disk and links; between the replica and the links it lies, in each way that the simulator knows (or in those that
 * are named), one after the other, over and over. It says on standard error which.
 */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { LinkLayer } from "../../net/link/layer.ts";
import type { Lane } from "../../net/link/types.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { readNodeDirectory } from "../../src/node/directory.ts";
import { toGenesis } from "../../src/node/genesisFile.ts";
import { startHttp } from "../../src/node/http/server.ts";
import { makeLogger } from "../../src/node/logging.ts";
import { startNode } from "../../src/node/node.ts";
import { Replica } from "../../src/replica/replica.ts";
import { ByzantineProducer, LIE_NAMES, type LieName } from "../sim/byzantine/producer.ts";
import { Workshop } from "../sim/byzantine/workshop.ts";
import { Dice } from "../sim/dice.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    each: { type: "string", default: "8" },
    tenure: { type: "string", default: "100" },
    lies: { type: "string" },
  },
});
const flags = { "consensus.tenureBlocks": { flag: "--tenure", value: Number(values.tenure) } };
const directory = readNodeDirectory(positionals[1] ?? "", { flags });
if (!directory.ok) throw new Error(directory.error.messages.join("; "));
const { dir, config, genesis: file, key } = directory.value;
const genesis = toGenesis(file);
const { producers } = genesis.configuration;

/** Producers in their order, then whoever else it had a frame for. */
const nodes = producers.map((each, index) => ({ index, key: each, isProducer: true }));

function indexOf(peer: string): number {
  const known = nodes.find((each) => each.key === peer);
  if (known !== undefined) return known.index;
  nodes.push({ index: nodes.length, key: peer, isProducer: false });
  return nodes.length - 1;
}

// What the product does, and what is done in its place.

const send = Reflect.get(LinkLayer.prototype, "send") as LinkLayer["send"];
const step = Reflect.get(Replica.prototype, "step") as Replica["step"];
const running: { links?: LinkLayer; replica?: Replica } = {};

LinkLayer.prototype.send = function (this: LinkLayer, to: string, lane: Lane, parts: readonly Uint8Array[]): boolean {
  running.links = this;
  let sent = true;
  for (const each of liar.instead(lane, parts, indexOf(to))) sent = send.call(this, to, lane, each) && sent;
  return sent;
};

Replica.prototype.step = function (this: Replica, input, now) {
  running.replica = this;
  if (!liar.hears(input)) return [];
  const effects = step.call(this, input, now);
  liar.stepped(input, effects);
  return effects;
};

const liar = new ByzantineProducer(
  new Workshop(
    {
      sign: (digest) => key.sign(digest),
      chainId: genesis.chainId,
      nodes,
      producers,
      genesis: { view: 0, height: 0, id: makeGenesisBlock(genesis, createKvApplication()).block.id },
    },
    {
      index: indexOf(key.publicKey),
      key: key.publicKey,
      get isUp() {
        return running.replica !== undefined;
      },
      get replica() {
        return running.replica as Replica;
      },
      say: (to, lane, parts) => {
        const peer = nodes[to]?.key;
        if (peer !== undefined && running.links !== undefined)
          send.call(running.links, peer, lane, [concatBytes(...parts)]);
      },
    },
    new Dice(Date.now() >>> 0),
  ),
  {
    get now() {
      return performance.now() * 1000;
    },
    schedule: (at, run) => void setTimeout(run, Math.max(0, at / 1000 - performance.now())),
  },
);

const log = makeLogger({ ...config.log, level: "warn" });
const onFatal = (error: Error): never => {
  throw error;
};
const node = await startNode({ dir, config, genesis: file, key, log, onFatal });
const http = await startHttp(node.api, { ...config.http, log });
process.stdout.write(`listening ${http.url}\n`);

const eachMs = Number(values.each) * 1000;
const lies = LIE_NAMES.filter((name) => values.lies === undefined || values.lies.split(",").includes(name));
function lieOn(turn: number): void {
  const name = lies[turn % lies.length] as LieName;
  process.stderr.write(`lies: ${name}\n`);
  liar.begin(name, eachMs);
  setTimeout(() => lieOn(turn + 1), eachMs);
}
lieOn(0);

process.once("SIGTERM", () => {
  void http
    .close()
    .then(() => node.stop())
    .then(() => process.exit(0));
});
