/** BFT (docs/testing.md, section 2): views, votes and liars, one situation at a time. All oracles watch. */
import { describe, expect, it } from "vitest";
import { lookupOf } from "../../../chain/producerSets.ts";
import { decodeQuorumCertificate, handoffEntry } from "../../../consensus/bft/certificates.ts";
import { decodePayload, encodeTransactionForward, encodeVotes } from "../../../consensus/messages.ts";
import { decodeEnvelope, encodeEnvelope } from "../../../net/transport/envelope.ts";
import { concatBytes, toHex } from "../../../src/base/bytes.ts";
import { encodeList } from "../../../chain/byteList.ts";
import { encodeTransaction, transactionId } from "../../../chain/transaction.ts";
import type { Effect } from "../../../src/replica/types.ts";
import { assertFoundOut } from "../../../tools/sim/atRest.ts";
import { NO_FAULTS } from "../../../tools/sim/profile.ts";
import { runSimulation } from "../../../tools/sim/run.ts";
import { begin, openBft, workshopOf } from "../../../tools/sim/scenarios/bftStage.ts";
import { blockFrame } from "../../../tools/sim/scenarios/forge.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

const view = (stage: Stage, index: number): number => stage.status(index).engine.view;

/** Every message takes this long, and all else next to nothing, ms. */
const DELAY_MS = 10;
const EVEN = {
  ...NO_FAULTS,
  latency: { lowMs: DELAY_MS, highMs: DELAY_MS, jitter: 0, tailChance: 0, tailMs: 0 },
  disk: { typicalMs: 0.01, capMs: 0.02 },
};

describe("finality", () => {
  it("takes three message delays from the block on, at every producer, in the good case", () => {
    const stage = openBft(4, { faults: EVEN });
    stage.advance(2_000);
    const { leader } = stage;
    const height = stage.height(leader);
    stage.submit(leader);
    const tookMs = stage.others().map(() => 0);
    const began = stage.simulation.nowMs;
    stage.until(
      "all have it",
      () => {
        for (const index of stage.others())
          if (stage.height(index) > height) tookMs[index] ||= stage.simulation.nowMs - began;
        return tookMs.every((each) => each > 0);
      },
      200,
    );
    for (const each of tookMs) expect(Math.floor(each / DELAY_MS)).toBe(3);
  });
});

describe("votes", () => {
  it("a commit arrives before its prepares: who hears commits only decides all the same", () => {
    const stage = openBft(4, { faults: EVEN });
    const deaf = 3;
    for (const index of stage.others(deaf)) {
      stage.node(index).hostile = {
        index,
        garbles: false,
        instead: (lane, parts, to) => (to === deaf && lane === "urgent" ? withoutPrepares(stage, parts) : [parts]),
        healed: () => undefined,
      };
    }
    stage.commit(0, 2);
    const decided = stage.height(0);
    stage.until("it has decided, too", () => stage.height(deaf) >= decided, 1_000);
  });

  it("a block comes after its certificate", () => {
    const stage = openBft(4);
    stage.simulation.network.clog(3);
    stage.commit(0, 2);
    const before = stage.height(3);
    stage.advance(200);
    expect(stage.height(3)).toBe(before);
    stage.simulation.network.unclog(3);
    stage.settle();
    expect(stage.height(3)).toBe(stage.height(0));
  });
});

function withoutPrepares(stage: Stage, parts: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const opened = decodeEnvelope(concatBytes(...parts));
  const decoded = opened && decodePayload(stage.simulation.genesis.chainId, opened.payload);
  if (decoded?.ok !== true || decoded.value.kind !== "votes") return [parts];
  const { signer, votes } = decoded.value.votes;
  const commits = votes.filter(({ commit }) => commit);
  return commits.length === 0 ? [] : [encodeEnvelope(opened!.envelope, encodeVotes({ signer, votes: commits }))];
}

describe("view changes", () => {
  it("after a leader's crash: one, and what was submitted elsewhere is decided by the next leader", () => {
    const stage = openBft(4);
    const old = stage.leader;
    const before = view(stage, old);
    stage.crash(old);
    const [id] = stage.submit(stage.others(old)[0] as number) as [string];
    stage.until("it is decided", () => stage.placeOf(id) !== undefined, 8_000);
    stage.settle();
    for (const index of stage.up) expect(view(stage, index)).toBe(before + 1);
  });

  it("after a leader died on an idle network: the next transaction is told to all at once, and the broken link is a hint", () => {
    const stage = openBft(4, { followers: 1 });
    const old = stage.leader;
    const before = view(stage, old);
    stage.advance(2_000);
    stage.crash(old);
    stage.advance(5_000);
    expect(view(stage, stage.up[0] as number)).toBe(before);
    for (const [at, views] of [
      [stage.others(old)[0] as number, 1],
      [4, 2],
    ] as const) {
      const [id] = stage.submit(at) as [string];
      // Neither the two seconds after which a transaction is forwarded again, nor the view timeout.
      expect(stage.until("it is decided", () => stage.placeOf(id) !== undefined, 5_000)).toBeLessThan(500);
      stage.settle();
      for (const index of stage.up) expect(view(stage, index)).toBe(before + views);
      if (views === 2) break;
      stage.start(old);
      stage.settle();
      stage.crash(stage.leader);
      stage.advance(5_000);
    }
  });

  it("while a block is being produced: nothing is lost, nothing comes twice", () => {
    const stage = openBft(4);
    const old = stage.leader;
    const ids = stage.submit(old, 3_000);
    stage.until("the leader is at it", () => stage.node(old).replica.ledger.producing, 1_000);
    stage.cutOff(old);
    const more = stage.submit(stage.others(old)[1] as number);
    stage.until(
      "another view is open",
      () => stage.simulation.leader() !== old && stage.placeOf(more[0] as string) !== undefined,
      15_000,
    );
    stage.heal();
    stage.settle();
    for (const id of [...ids, ...more]) expect(stage.placeOf(id)).toBeDefined();
  });

  it("the next leader, and the one after it, fail during the view change: the third leads", () => {
    const stage = openBft(7);
    const old = stage.leader;
    const before = view(stage, old);
    stage.crash(old);
    stage.crash((before + 1) % 7);
    const [id] = stage.submit((before + 3) % 7) as [string];
    stage.until("a view change is under way", () => view(stage, (before + 3) % 7) > before, 5_000);
    stage.until("it is decided", () => stage.placeOf(id) !== undefined, 20_000);
    expect(view(stage, (before + 3) % 7)).toBe(before + 2);
    stage.startAll();
    stage.settle();
  });

  it("the highest report of a quorum is below what was decided, because one lies: the new view stands above it all the same", () => {
    // Node 2 lies; of the three that are left all are needed.
    const stage = openBft(4, { byzantine: 1 });
    const [liar] = stage.simulation.liars.map(({ index }) => index) as [number];
    begin(stage, liar, "staleReports");
    const old = stage.leader;
    expect(old).not.toBe(liar);
    for (let i = 0; i < 4; i++) stage.commit(old);
    const decided = stage.height(old);
    stage.crash(old);
    const [witness] = stage.others(old, liar) as [number];
    const [id] = stage.submit(witness) as [string];
    stage.until("it is decided", () => stage.placeOf(id) !== undefined, 20_000);
    expect(stage.placeOf(id)?.height).toBeGreaterThan(decided);
    expect(stage.status(witness).producers.find(({ key }) => key === stage.node(liar).key)).toMatchObject({
      state: "faulty",
      because: "a view change that reports less than was committed",
    });
  });

  it("an idle network does not grow, though one asks for other views all the time", () => {
    const stage = openBft(4, { byzantine: 1 });
    begin(stage, stage.simulation.liars[0]?.index as number, "viewChanges");
    stage.advance(1_000);
    const [first] = stage.simulation.honest.map(({ index }) => index) as [number];
    const [before, height] = [view(stage, first), stage.head(first).height];
    stage.advance(30_000);
    for (const { index } of stage.simulation.honest)
      expect([view(stage, index), stage.head(index).height]).toEqual([before, height]);
  });
});

describe("censorship", () => {
  /** The leader of the first view lies: it makes no block of what is given to it. */
  function censored(): { readonly stage: Stage; readonly leader: number; readonly at: number } {
    const stage = openBft(4, { seed: 4, byzantine: 1, followers: 1 });
    const { leader } = stage;
    expect(stage.simulation.liars[0]?.index).toBe(leader);
    begin(stage, leader, "censorship");
    return { stage, leader, at: stage.others(leader)[0] as number };
  }

  it("a leader that leaves a transaction out is suspected by all, and the next one includes it", () => {
    const { stage, leader, at } = censored();
    const before = view(stage, at);
    const [id] = stage.submit(at) as [string];
    stage.until("it is decided", () => stage.placeOf(id) !== undefined, 10_000);
    expect(view(stage, at)).toBe(before + 1);
    expect(stage.leader).not.toBe(leader);
  });

  it("a transaction that cannot be included makes nobody suspect anybody", () => {
    const { stage, leader } = censored();
    const honest = stage.simulation.honest.filter((node) => node.isProducer).map(({ index }) => index);
    const before = honest.map((index) => view(stage, index));
    // Forwarded by a follower that did not look at it: no application takes this payload.
    const payload = new Uint8Array(20).fill(255);
    const expiresAt = stage.node(leader).clientClockMs + 50_000;
    const bytes = encodeTransaction({ payload, nonce: new Uint8Array(16).fill(3), expiresAt });
    stage.simulation.watch.transactions.submitted(toHex(transactionId(bytes)));
    const puppet = stage.puppet(4);
    for (const index of honest) {
      puppet.connect(index);
      puppet.unicast(index, "bulk", encodeTransactionForward(encodeList([bytes])));
      expect(stage.status(index).mempool.count).toBe(1);
    }
    stage.advance(15_000);
    expect(honest.map((index) => view(stage, index))).toEqual(before);
  });
});

describe("a producer that makes two blocks", () => {
  it("is found out by everybody, who knows it after a restart, and tells who comes later", () => {
    const stage = openBft(4, { seed: 4, byzantine: 1, followers: 1 });
    const liar = stage.leader;
    const [one, follower] = [stage.others(liar)[0] as number, 4];
    stage.crash(follower);
    begin(stage, liar, "bothBlocks");
    stage.commit(one, 3);
    const accused = (index: number): boolean =>
      stage
        .status(index)
        .producers.some(({ key, because }) => key === stage.node(liar).key && (because ?? "silent") !== "silent");
    const honest = stage.others(liar, follower);
    stage.until("all know", () => honest.every(accused), 2_000);
    stage.crash(one);
    stage.start(one);
    expect(accused(one)).toBe(true);
    stage.start(follower);
    stage.until("who was away knows", () => accused(follower), 2_000);
  });

  it("is kept with two of a place, however many it makes: of these nobody asked for more", () => {
    const stage = openBft(4, { seed: 4, byzantine: 1 });
    const liar = stage.leader;
    const victim = stage.others(liar)[0] as number;
    const workshop = workshopOf(stage, liar);
    const parent = stage.head(victim);
    const puppet = stage.puppet(liar);
    puppet.connect(victim);
    const made = Array.from({ length: 10 }, (_, i) =>
      workshop.emptyChild(parent, parent.view, { time: parent.block.header.time + 1 + i }),
    );
    for (const block of made) puppet.say(victim, "chain", blockFrame(block));
    const { ledger } = stage.node(victim).replica;
    expect(made.filter(({ id }) => ledger.get(id) !== undefined).length).toBe(2);
  });
});

describe("more liars than are borne", () => {
  /** Two of four lie. Each of the others sees a chain of its own, which the liars decide with it. */
  it("decide two chains: when their certificates meet, a node halts with both", () => {
    const stage = Stage.closed(4, { engine: "bft", seed: 4, byzantine: 2 });
    const liars = stage.simulation.liars.map(({ index }) => index);
    const honest = stage.others(...liars) as [number, number];
    const [leader] = liars as [number];
    expect(leader).toBe(1);
    const halts: Extract<Effect, { kind: "halt" }>[] = [];
    stage.simulation.onlookers.push({
      stepped: (_, __, effects) => {
        for (const effect of effects) if (effect.kind === "halt") halts.push(effect);
      },
    });
    stage.part([honest[0]], [honest[1]]);
    for (const index of honest) stage.start(index);
    const puppets = liars.map((index) => stage.puppet(index));
    for (const [i, index] of honest.entries()) {
      const entry = handoffEntry(new Uint8Array(0));
      const zero = stage.head(index);
      const block = workshopOf(stage, leader).emptyChild(zero, 1, { time: zero.block.header.time + 1 + i }, { entry });
      const ref = { view: 1, height: 1, id: block.id };
      for (const [at, puppet] of puppets.entries()) {
        puppet.connect(index);
        puppet.signed(index, { kind: "summary", content: { view: 0, round: 1, irreversibleHeight: 0 } });
        if (at === 0) puppet.say(index, "chain", blockFrame(block));
        const workshop = workshopOf(stage, puppet.index);
        puppet.unicast(index, "urgent", workshop.votes([workshop.vote(false, ref), workshop.vote(true, ref)]));
      }
      stage.until("the liars and this one have decided it", () => stage.height(index) === 1, 1_000);
    }
    const [a, b] = honest.map((index) => stage.head(index).id);
    expect(a).not.toBe(b);
    stage.heal();
    stage.until("it is found out", () => halts.length > 0, 10_000);
    assertFoundOut(stage.simulation);
    const [halt] = halts as [(typeof halts)[0]];
    expect(halt.why).toContain("FINALITY_CONFLICT");
    const { chainId, configuration } = stage.simulation.genesis;
    const judgement = {
      chainId,
      ...lookupOf(configuration),
      genesis: { view: 0, height: 0, id: stage.simulation.genesisBlock.id },
    };
    const proven = halt.certificates.map((bytes) => {
      const certificate = decodeQuorumCertificate(bytes, judgement);
      if (!certificate.ok) throw new Error(certificate.error.detail);
      expect(certificate.value.claims.every((claim) => stage.simulation.keys.verify(claim))).toBe(true);
      return certificate.value.ref.id;
    });
    expect(new Set(proven)).toEqual(new Set([a, b]));
  });

  it(
    "whatever two of four do, no node dies of it, and what they decide twice is found out",
    { timeout: 60_000 },
    () => {
      for (const seed of [1, 4, 9]) {
        const faults = { seed, engine: "bft", producers: 4, byzantine: 2, faults: "lossy", durationMs: 4_000 } as const;
        expect(runSimulation(faults).violation).toBeUndefined();
      }
    },
  );
});
