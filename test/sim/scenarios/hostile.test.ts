/**
 * Overload and hostile peers (docs/testing.md, section 2): every attack costs the attacker more than the node, memory
 * stays bounded, and the chain goes on.
 *
 * Costs are counted, not timed, and weighed with the prices of docs/performance.md. The attacker pays for its
 * connections, bytes and true signatures; to make up bytes and false signatures costs it nothing.
 */
import { describe, expect, it } from "vitest";
import { encodeList } from "../../../chain/byteList.ts";
import { encodeTransaction, transactionId } from "../../../chain/transaction.ts";
import {
  encodeBlockRequest,
  encodeCertificatePayload,
  encodeHello,
  encodeSigned,
  encodeTransactionForward,
} from "../../../consensus/messages.ts";
import { EARLY_VOTE_LIFE_MS } from "../../../consensus/constants.ts";
import { SEND_BUDGET_BYTES } from "../../../consensus/sync/constants.ts";
import { BLOCK_MAX_BYTES } from "../../../chain/block.ts";
import { LANES } from "../../../net/link/types.ts";
import { encodeEnvelope } from "../../../net/transport/envelope.ts";
import { concatBytes, toHex, utf8 } from "../../../src/base/bytes.ts";
import { encodeKvPayload } from "../../../src/node/applications/kvPayload.ts";
import { Dice } from "../../../tools/sim/dice.ts";
import { NO_WORKLOAD } from "../../../tools/sim/profile.ts";
import { assertAttackerPays } from "../../../tools/sim/scenarios/bill.ts";
import { blockFrame } from "../../../tools/sim/scenarios/forge.ts";
import type { Puppet } from "../../../tools/sim/scenarios/puppet.ts";
import { Stage, type StageOptions } from "../../../tools/sim/scenarios/stage.ts";

/** Three producers with some blocks, and node 3, a follower that is nobody's friend. */
function besieged(options: StageOptions = {}): { stage: Stage; victim: number; attacker: Puppet } {
  const stage = Stage.open(3, { followers: 1, ...options });
  const attacker = stage.puppet(3);
  for (let i = 0; i < 10; i++) stage.commit(stage.leader);
  const victim = stage.leader;
  stage.advance(100);
  attacker.takeBill();
  return { stage, victim, attacker };
}

/** All is as it should be: commits go on, and nothing is left of the attack. */
function assertUnharmed(stage: Stage, attacker: Puppet): void {
  const { view } = stage.status(stage.leader).engine;
  for (const to of stage.up) attacker.disconnect(to);
  stage.advance(100);
  stage.commit(stage.leader, 3);
  stage.settle();
  expect(stage.status(stage.leader).engine.view).toBe(view);
  for (const index of stage.up) {
    const { sizes, halted } = stage.status(index);
    expect(halted).toBeUndefined();
    expect([sizes["gateWaiting"], sizes["orphanBytes"], sizes["held"]]).toEqual([0, 0, 0]);
  }
}

describe("a peer that reads slowly", () => {
  it("gets as much as its budget allows and no more; who reads gets on", () => {
    const { stage, victim, attacker } = besieged({ workload: { ...NO_WORKLOAD, valueBytes: 60_000 } });
    while (stage.simulation.watch.finality.height < 40) stage.commit(victim, 8);
    attacker.connect(victim);
    const genesis = { view: 0, height: 0, id: stage.forge.genesis.id };
    attacker.say(
      victim,
      "chain",
      encodeHello({ seq: 1, echo: 1, head: genesis, root: genesis, locator: [genesis], irreversibleHeight: 0 }),
    );
    const head = stage.head(victim).id;
    for (let i = 0; i < 100; i++) attacker.say(victim, "chain", encodeBlockRequest(head));
    stage.commit(victim, 8);
    stage.advance(5_000);
    const { bytesOut } = attacker.takeBill();
    expect(bytesOut).toBeGreaterThan(SEND_BUDGET_BYTES);
    expect(bytesOut).toBeLessThan(SEND_BUDGET_BYTES + BLOCK_MAX_BYTES);
    stage.node(victim).drained(attacker.index, "chain", 1024 * 1024);
    stage.advance(100);
    expect(attacker.takeBill().bytesOut).toBeGreaterThan(512 * 1024);
    assertUnharmed(stage, attacker);
  });
});

describe("a flood", () => {
  it("of transactions at one node: what does not fit is refused at once, the rest is decided", () => {
    const stage = Stage.open(3, { settings: { mempoolTransactions: 500 } });
    const at = stage.others(stage.leader)[0] as number;
    const before = stage.simulation.workload.counts;
    stage.submit(at, 2_000);
    expect(stage.status(at).mempool.count).toBe(500);
    expect(stage.simulation.workload.counts.refused - before.refused).toBe(1_500);
    stage.settle();
    expect(stage.simulation.workload.counts.irreversible - before.irreversible).toBe(500);
  });

  it("of forwarded transactions fills the leader's mempool, not its memory, and is decided or forgotten", () => {
    const { stage, victim, attacker } = besieged({ settings: { mempoolTransactions: 500 } });
    attacker.connect(victim);
    for (let round = 0; round < 10; round++) {
      const transactions = Array.from({ length: 300 }, (_, i) => junkTransaction(stage, 300 * round + i));
      for (const each of transactions) stage.simulation.watch.transactions.submitted(toHex(transactionId(each)));
      attacker.unicast(victim, "bulk", encodeTransactionForward(encodeList(transactions)));
      expect(stage.status(victim).mempool.count).toBeLessThanOrEqual(500);
    }
    stage.advance(2_000);
    assertAttackerPays(attacker.takeBill());
    assertUnharmed(stage, attacker);
  });

  it("of forwards with false signatures costs a link each, and few checks", () => {
    const { stage, victim, attacker } = besieged();
    for (let round = 0; round < 20; round++) {
      attacker.connect(victim);
      const transactions = Array.from({ length: 200 }, (_, i) => junkTransaction(stage, i, attacker.key));
      attacker.unicast(victim, "bulk", encodeTransactionForward(encodeList(transactions)));
      stage.advance(20);
      expect(attacker.isConnected(victim)).toBe(false);
    }
    assertAttackerPays(attacker.takeBill());
    assertUnharmed(stage, attacker);
  });

  it("of hellos is answered at a walking pace", () => {
    const { stage, victim, attacker } = besieged();
    attacker.connect(victim);
    const genesis = { view: 0, height: 0, id: stage.forge.genesis.id };
    for (let seq = 1; seq <= 2_000; seq++) {
      attacker.say(
        victim,
        "chain",
        encodeHello({ seq, echo: 0, head: genesis, root: genesis, locator: [], irreversibleHeight: 0 }),
      );
      if (seq % 10 === 0) stage.advance(1);
    }
    assertAttackerPays(attacker.takeBill());
    assertUnharmed(stage, attacker);
  });

  it("of blocks with false signatures in one breath costs a link, and few checks", () => {
    const { stage, victim, attacker } = besieged();
    const head = stage.simulation.watch.block(stage.head(victim).id);
    const junk = stage.forge.unsigned(stage.forge.block(head, 50, 0));
    attacker.connect(victim);
    for (let i = 0; i < 1_000; i++)
      attacker.say(victim, "chain", blockFrame({ ...junk, signature: falseSignature(i) }));
    stage.advance(100);
    const bill = attacker.takeBill();
    expect(bill.signatureChecks).toBeLessThanOrEqual(2);
    assertAttackerPays(bill);
    expect(attacker.closed).toMatchObject([{ reason: "misbehaviour" }]);
    assertUnharmed(stage, attacker);
  });

  it("of connections that come and go leaves nothing behind", () => {
    const { stage, victim, attacker } = besieged();
    const before = stage.status(victim).sizes;
    for (let i = 0; i < 500; i++) {
      attacker.connect(victim);
      stage.advance(1);
      attacker.disconnect(victim);
    }
    assertAttackerPays(attacker.takeBill());
    // What producers say of themselves meanwhile is broadcast: a message each, at most.
    const after = stage.status(victim).sizes;
    for (const kept of ["arrivals", "broadcastsKept"])
      expect(after[kept] as number).toBeLessThanOrEqual((before[kept] as number) + stage.up.length);
    const { arrivals, broadcastsKept, broadcastBytesKept } = after;
    expect({ ...before, arrivals, broadcastsKept, broadcastBytesKept }).toEqual(after);
    assertUnharmed(stage, attacker);
  });
});

describe("frames", () => {
  it("cut short anywhere, or too long, cost the link and nothing else", () => {
    const { stage, victim, attacker } = besieged();
    const genesis = { view: 0, height: 0, id: stage.forge.genesis.id };
    const { height, id } = stage.head(victim);
    const frames = [
      [
        "chain",
        encodeHello({
          seq: 1,
          echo: 1,
          head: genesis,
          root: genesis,
          locator: [{ height, id }],
          irreversibleHeight: 0,
        }),
      ],
      ["chain", blockFrame(stage.simulation.watch.block(id))],
      ["chain", encodeBlockRequest(id)],
      ["bulk", envelope(attacker, victim, stage, encodeTransactionForward(encodeList([junkTransaction(stage, 1)])))],
      ["urgent", envelope(attacker, victim, stage, encodeCertificatePayload(new Uint8Array(100)))],
    ] as const;
    let harmless = 0;
    for (const [lane, frame] of frames) {
      const cuts = Array.from({ length: 24 }, (_, i) => Math.floor((frame.length * i) / 24));
      for (const cut of [...cuts.map((end) => frame.slice(0, end)), concatBytes(frame, new Uint8Array(200_000))]) {
        attacker.connect(victim);
        if (attacker.say(victim, lane, cut)) harmless++;
        else expect(attacker.closed.splice(0)).toMatchObject([{ by: victim }]);
        stage.advance(1);
      }
    }
    // A cut between two fields may leave a message, of less.
    expect(harmless).toBeLessThanOrEqual(3);
    const bill = attacker.takeBill();
    expect(bill.signatureChecks).toBe(0);
    assertAttackerPays(bill);
    assertUnharmed(stage, attacker);
  });

  it("of random bytes, and true ones with a flipped bit, on every lane: at most a link is lost", () => {
    const { stage, victim, attacker } = besieged();
    const dice = new Dice(1);
    const head = stage.simulation.watch.block(stage.head(victim).id);
    const real = blockFrame(stage.forge.block(head, 50, 0));
    for (let i = 0; i < 1_000; i++) {
      const lane = dice.pick(LANES);
      const frame = dice.chance(0.5)
        ? real.slice()
        : Uint8Array.from({ length: dice.below(400) }, () => dice.below(256));
      if (frame.length > 0) frame[dice.below(frame.length)] = dice.below(256);
      // The kind is right, so that more is looked at.
      if (dice.chance(0.5) && lane === "chain") frame[0] = dice.integer(1, 4);
      if (toHex(frame) === toHex(real)) continue;
      attacker.connect(victim);
      attacker.say(victim, lane, frame);
      if (i % 10 === 0) stage.advance(5);
    }
    stage.advance(100);
    assertAttackerPays(attacker.takeBill());
    assertUnharmed(stage, attacker);
  });
});

describe("a producer's key in the wrong hands", () => {
  it("deep forks of junk, orphans all: they are kept within their bound, asked for a few times, and forgotten", () => {
    const stage = Stage.closed(5, { followers: 1 });
    const attacker = stage.puppet(4);
    stage.startAll();
    stage.elect();
    for (let i = 0; i < 5; i++) stage.commit(0);
    const victim = stage.leader;
    attacker.connect(victim);
    const forked = stage.forge.chain(stage.forge.genesis, 1, 4, 100);
    attacker.takeBill();
    // All but the first, so that none can be judged; the view is one that was had.
    for (const block of forked.slice(10)) attacker.say(victim, "chain", blockFrame(block));
    stage.advance(5_000);
    expect(stage.status(victim).sizes["blockRequests"]).toBeLessThanOrEqual(1);
    assertAttackerPays(attacker.takeBill(), { signatures: forked.length });
    while (stage.height(victim) <= 100) stage.commit(victim);
    stage.commit(stage.leader);
    expect(stage.status(victim).sizes["orphanBytes"]).toBe(0);
    stage.settle();
  });

  it("votes and acks for blocks that nobody knows decide nothing, and acks are kept for a while only", () => {
    const stage = Stage.closed(4);
    const attacker = stage.puppet(3);
    stage.startAll();
    stage.elect();
    stage.commit(0);
    const victim = stage.leader;
    stage.advance(100);
    const before = stage.status(victim);
    const { view } = before.engine;
    attacker.connect(victim);
    attacker.takeBill();
    for (let i = 0; i < 500; i++) {
      const id = i.toString(16).padStart(64, "0");
      attacker.signed(victim, { kind: "ack", content: { view, height: before.head.height + 1 + i, id } });
      attacker.signed(victim, {
        kind: "vote",
        content: { view, candidate: stage.node(victim).key, granted: true, preVote: false },
      });
    }
    stage.advance(500);
    assertAttackerPays(attacker.takeBill(), { signatures: 1_000 });
    expect(stage.status(victim)).toMatchObject({
      engine: before.engine,
      irreversible: before.irreversible,
      sizes: { ...before.sizes, earlyVotes: 500 },
    });
    stage.advance(EARLY_VOTE_LIFE_MS);
    stage.commit(victim);
    expect(stage.status(victim).sizes.earlyVotes).toBe(0);
    stage.settle();
  });

  it("votes of one who is no producer are not even checked", () => {
    const { stage, victim, attacker } = besieged();
    attacker.connect(victim);
    const content = { view: 9, height: 100, id: "ab".repeat(32) };
    const { chainId } = stage.simulation.genesis;
    const frame = encodeSigned(chainId, attacker.key, { kind: "ack", content }, () => falseSignature(1));
    for (let i = 0; i < 1_000; i++) attacker.unicast(victim, "urgent", frame);
    const bill = attacker.takeBill();
    expect(bill.signatureChecks).toBe(0);
    assertAttackerPays(bill);
    assertUnharmed(stage, attacker);
  });
});

function envelope(attacker: Puppet, victim: number, stage: Stage, payload: Uint8Array): Uint8Array {
  const destinations = [stage.node(victim).key];
  return concatBytes(...encodeEnvelope({ source: attacker.key, destinations, ttl: 1, broadcast: false }, payload));
}

function falseSignature(number: number): Uint8Array {
  const signature = new Uint8Array(64);
  new DataView(signature.buffer).setUint32(0, number);
  return signature;
}

/** `author`: bears a signature that this author never made. */
function junkTransaction(stage: Stage, number: number, author?: string): Uint8Array {
  const payload = encodeKvPayload([{ kind: "put", key: utf8(`junk ${number}`), value: utf8("x") }]);
  const nonce = new Uint8Array(16);
  new DataView(nonce.buffer).setUint32(4, number);
  const expiresAt = stage.node(0).clockMs + 30_000;
  const signed = author === undefined ? {} : { author, signature: falseSignature(number) };
  return encodeTransaction({ payload, nonce, expiresAt, ...signed });
}
