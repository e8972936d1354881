/** Every oracle is shown a history that breaks its rule, and fires; and the nearest lawful one, and is silent. */
import { describe, expect, it } from "vitest";
import { lookupOf } from "../../chain/producerSets.ts";
import { CONSENSUS_DEFAULTS } from "../../consensus/constants.ts";
import { SYNC_LIMITS } from "../../consensus/sync/constants.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import type { Effect } from "../../src/replica/types.ts";
import { assertBounded, boundsOf } from "../../tools/sim/oracles/bounds.ts";
import { ConductOracle, StreamOracle } from "../../tools/sim/oracles/conduct.ts";
import { DecisionOracle } from "../../tools/sim/oracles/decisions.ts";
import { EvidenceOracle } from "../../tools/sim/oracles/evidence.ts";
import { FinalityOracle } from "../../tools/sim/oracles/finality.ts";
import { decodeCertificate } from "../../consensus/certificate.ts";
import { LightClientOracle } from "../../tools/sim/oracles/lightClient.ts";
import { type DurableBlocks, PromiseOracle } from "../../tools/sim/oracles/promises.ts";
import { ReadOracle } from "../../tools/sim/oracles/reads.ts";
import { assertSameState } from "../../tools/sim/oracles/state.ts";
import { TransactionOracle } from "../../tools/sim/oracles/transactions.ts";
import { type SeenBlock, ViewOracle } from "../../tools/sim/oracles/views.ts";
import { NO_WORKLOAD } from "../../tools/sim/profile.ts";
import { comeToRest } from "../../tools/sim/run.ts";
import { Stage } from "../../tools/sim/scenarios/stage.ts";
import { Simulation } from "../../tools/sim/simulation.ts";

/** A chain of ids `${prefix}1`, `${prefix}2`, ... above the genesis "g". */
const chain = (prefix: string) => (height: number) => (height === 0 ? "g" : `${prefix}${height}`);

describe("finality: irreversible chains are prefixes of one another and never go back", () => {
  const oracle = (): { oracle: FinalityOracle; extended: string[] } => {
    const extended: string[] = [];
    return { oracle: new FinalityOracle("g", 2, (_, id) => extended.push(id)), extended };
  };

  it("takes a chain that a second node follows, and tells each block once", () => {
    const { oracle: finality, extended } = oracle();
    finality.told(0, 2, chain("a"));
    finality.told(1, 1, chain("a"));
    finality.told(1, 3, chain("a"));
    expect(extended).toEqual(["a1", "a2", "a3"]);
  });

  it("fires when two nodes call different blocks irreversible", () => {
    const { oracle: finality } = oracle();
    finality.told(0, 2, chain("a"));
    expect(() => finality.told(1, 1, chain("b"))).toThrow("height 1: b1 at node 1, a1 at node 0");
  });

  it("fires when a node's irreversible height goes back within a life", () => {
    const { oracle: finality } = oracle();
    finality.told(0, 2, chain("a"));
    expect(() => finality.told(0, 1, chain("a"))).toThrow("told 1 after 2");
  });

  it("fires when what was told is gone after a crash, or another block stands there", () => {
    const { oracle: finality } = oracle();
    finality.told(0, 2, chain("a"));
    expect(() => finality.restarted(0, 1, chain("a"))).toThrow("at 1 after a crash, told 2");
    expect(() => finality.restarted(0, 2, chain("b"))).toThrow("height 2: b2");
  });
});

describe("transactions: acknowledged ones are in the chain, once, and only submitted ones", () => {
  const withOne = (): TransactionOracle => {
    const oracle = new TransactionOracle();
    oracle.submitted("t");
    oracle.extended(4, ["t"], 0);
    return oracle;
  };

  it("takes an acknowledgement of what is there", () => {
    withOne().irreversible(1, "t", { height: 4, index: 0 });
  });
  it("fires on an acknowledgement of another place", () => {
    expect(() => withOne().irreversible(1, "t", { height: 5, index: 0 })).toThrow("t told at 5/0, is at 4/0");
  });
  it("fires on an acknowledgement of what is nowhere", () => {
    expect(() => withOne().irreversible(1, "u", { height: 4, index: 0 })).toThrow("is in no block");
  });
  it("fires on a transaction executed twice", () => {
    expect(() => withOne().extended(7, ["t"], 0)).toThrow("at most once");
  });
  it("fires on a transaction that nobody submitted", () => {
    expect(() => withOne().extended(5, ["x"], 0)).toThrow("only what was submitted");
  });
  it("fires when what was told expired is in the chain, whichever comes first", () => {
    expect(() => withOne().dead(1, "t", "expired")).toThrow("t told expired, is at 4/0");
    const oracle = new TransactionOracle();
    oracle.submitted("t");
    oracle.dead(1, "t", "expired");
    expect(() => oracle.extended(4, ["t"], 0)).toThrow("told expired by node 1");
  });
});

const genesis: SeenBlock = { id: "g", height: 0, view: 0, parent: "", producer: "" };
const block = (id: string, parent: string, height: number, view: number, producer = `p${view}`): SeenBlock => ({
  id,
  parent,
  height,
  view,
  producer,
});
const nothing = { height: 0, id: "g", view: 0 };

describe("views: one leader and one chain a view", () => {
  const withOne = (): ViewOracle => {
    const oracle = new ViewOracle(genesis);
    oracle.seen(0, block("a1", "g", 1, 1), nothing);
    return oracle;
  };

  it("takes a chain of a view and the next view above it", () => {
    const oracle = withOne();
    expect(oracle.seen(0, block("a2", "a1", 2, 1), nothing)).toBeUndefined();
    expect(oracle.seen(1, block("b3", "a2", 3, 2), { height: 2, id: "a2", view: 1 })).toBe("opener");
  });
  it("fires on two producers in a view", () => {
    expect(() => withOne().seen(1, block("x2", "a1", 2, 1, "other"), nothing)).toThrow("a view has one leader");
  });
  it("takes another set's leader and its chain in the same view, and fires on two of that set", () => {
    const oracle = withOne();
    expect(oracle.seen(0, block("x2", "a1", 2, 1, "other"), nothing, " of new")).toBeUndefined();
    expect(() => oracle.seen(0, block("y2", "a1", 2, 1, "third"), nothing, " of new")).toThrow("one leader");
    expect(() => oracle.seen(0, block("z2", "a1", 2, 1, "other"), nothing, " of new")).toThrow("one chain");
  });
  it("fires on two blocks of a view at one height", () => {
    expect(() => withOne().seen(1, block("x1", "g", 1, 1), nothing)).toThrow("a view has one chain");
  });
  it("fires on two branches of a view at different heights", () => {
    const oracle = withOne();
    oracle.seen(0, block("b2", "a1", 2, 2), nothing);
    oracle.seen(0, block("c3", "b2", 3, 3), nothing);
    expect(() => oracle.seen(0, block("x4", "c3", 4, 2, "p2"), nothing)).toThrow("a view has one chain");
  });
  it("fires when a view does not begin above what was told irreversible", () => {
    expect(() => withOne().seen(1, block("b1", "g", 1, 2), { height: 1, id: "a1", view: 1 })).toThrow(
      "extends everything decided before",
    );
  });
});

describe("decisions: what a majority has acked in a view is below every higher view [S1] [S3] [S4]", () => {
  const blocks = new Map(
    [genesis, block("a1", "g", 1, 1), block("b1", "g", 1, 2), block("b2", "a1", 2, 2)].map((each) => [each.id, each]),
  );
  const acked = { view: 1, height: 1, id: "a1" };
  const oracle = (): DecisionOracle =>
    new DecisionOracle(
      (_, hasAcked) => [0, 1, 2].filter(hasAcked).length >= 2,
      (id) => blocks.get(id),
    );

  it("takes a view that opens above a decided block, or beside one that only a minority has acked", () => {
    const above = oracle();
    above.acked(0, acked);
    above.acked(1, acked);
    above.opened(2, blocks.get("b2") as SeenBlock);
    const beside = oracle();
    beside.acked(0, acked);
    beside.acked(0, acked);
    beside.opened(2, blocks.get("b1") as SeenBlock);
  });
  it("fires when a view opens beside a block that a majority has acked, though nobody knows yet", () => {
    const decisions = oracle();
    decisions.acked(0, acked);
    decisions.acked(1, acked);
    expect(() => decisions.opened(2, blocks.get("b1") as SeenBlock)).toThrow(
      "a majority has acked block 1 a1 of view 1",
    );
  });
  it("fires when the majority is complete only after the higher view has opened", () => {
    const decisions = oracle();
    decisions.acked(0, acked);
    decisions.opened(2, blocks.get("b1") as SeenBlock);
    expect(() => decisions.acked(1, acked)).toThrow("a majority has acked block 1 a1 of view 1");
  });
});

describe("promises: records are monotone, and nothing leaves before it is durable [S5]", () => {
  const record = (view: number, votedFor: string | undefined, acked = { view: 0, height: 0, id: "g" }) => ({
    view,
    votedFor,
    acked,
  });
  const disk = (ids: Record<string, string>): DurableBlocks => ({
    has: (id) => id === "g" || id in ids,
    everHeld: (id) => id in ids,
    parentOf: (id) => ids[id],
    isIrreversible: (id) => id === "g",
    isPruned: () => false,
  });
  const oracle = (): PromiseOracle => {
    const promises = new PromiseOracle(["me", "you"]);
    promises.durable(0, record(3, "you", { view: 3, height: 2, id: "a2" }));
    promises.restarted(0);
    return promises;
  };
  const held = disk({ a1: "g", a2: "a1" });

  it.each([
    ["the view goes back", record(2, undefined)],
    ["the vote of a view changes", record(3, "me", { view: 3, height: 2, id: "a2" })],
    ["the vote of a view is forgotten", record(3, undefined, { view: 3, height: 2, id: "a2" })],
    ["the acked head goes back", record(4, undefined, { view: 3, height: 1, id: "a1" })],
  ])("fires when %s, also across a restart", (_, next) => {
    expect(() => oracle().issued(0, next)).toThrow("monotone");
  });
  it("takes a new view with another vote and the same acked head", () => {
    oracle().issued(0, record(4, "me", { view: 3, height: 2, id: "a2" }));
  });

  const vote = (view: number, candidate: string) =>
    ({ kind: "vote", signer: "me", view, candidate, granted: true, preVote: false }) as const;
  it("fires on a vote that the disk does not know, and on one for somebody else", () => {
    oracle().sent(0, vote(3, "you"), held);
    expect(() => oracle().sent(0, vote(3, "me"), held)).toThrow("on disk: you");
    expect(() => oracle().sent(0, vote(4, "you"), held)).toThrow("no vote of that view");
  });
  it("takes refusals, pre-votes and relayed votes of others as no promise", () => {
    oracle().sent(0, { ...vote(9, "you"), granted: false }, held);
    oracle().sent(0, { ...vote(9, "you"), preVote: true }, held);
    oracle().sent(0, { ...vote(9, "me"), signer: "you" }, held);
  });

  const ack = (height: number, id: string) => ({ kind: "ack", signer: "me", view: 3, height, id }) as const;
  it("fires on an ack above what the disk has acked, or without the block or an ancestor", () => {
    oracle().sent(0, ack(2, "a2"), held);
    expect(() => oracle().sent(0, ack(3, "a3"), held)).toThrow("an ack of 3/3; on disk: 3/2");
    expect(() => oracle().sent(0, ack(2, "a2"), disk({ a1: "g" }))).toThrow("block a2 is not on disk");
    expect(() => oracle().sent(0, ack(2, "a2"), disk({ a2: "a1" }))).toThrow("block a1 is not on disk");
  });
  it("fires on blocks, heartbeats and candidacies of a view for which the disk has no vote for itself", () => {
    const header = { height: 3, parent: "a2", view: 3, producer: "me" };
    expect(() => oracle().sent(0, { kind: "block", requested: false, id: "a3", header }, held)).toThrow(
      "a block of view 3",
    );
    expect(() => oracle().sent(0, { kind: "heartbeat", signer: "me", view: 3 }, held)).toThrow("a heartbeat of view 3");
    expect(() => oracle().sent(0, { kind: "requestVote", signer: "me", view: 4, preVote: false }, held)).toThrow(
      "a candidacy",
    );
    oracle().sent(0, { kind: "block", requested: false, id: "a3", header: { ...header, producer: "you" } }, held);
  });
  it("takes own blocks and acks that left before the disk was lost and came back from others, and no new ones", () => {
    const [a1, a2] = ["a1", "a2"].map((id) => sha256Hex(utf8(id))) as [string, string];
    const certificate = (id: string) =>
      ({ kind: "certificate", view: 4, path: [utf8(id)], acks: [{ signer: "me", position: 0 }] }) as const;
    const block = (id: string) =>
      ({
        kind: "block",
        requested: false,
        id,
        header: { height: 1, parent: "g", view: 4, producer: "me" },
      }) as const;
    const promises = oracle();
    promises.durable(0, record(4, "me", { view: 4, height: 1, id: a1 }));
    promises.sent(0, block(a1), held);
    promises.sent(0, certificate("a1"), disk({ [a1]: "g" }));
    promises.lost(0);
    promises.sent(0, block(a1), held);
    promises.sent(0, certificate("a1"), held);
    expect(() => promises.sent(0, block(a2), held)).toThrow("a block of view 4");
    expect(() => promises.sent(0, certificate("a2"), held)).toThrow("was never on disk");
  });
  it("fires on a certificate that counts an own ack of a block that never was on the disk", () => {
    const certificate = {
      kind: "certificate",
      view: 3,
      path: [Uint8Array.of(1)],
      acks: [{ signer: "me", position: 0 }],
    } as const;
    expect(() => oracle().sent(0, certificate, held)).toThrow("was never on disk");
    oracle().sent(0, { ...certificate, acks: [{ signer: "you", position: 0 }] }, held);
  });
});

describe("promises of a disk that is an older one", () => {
  const record = (view: number, votedFor?: string) => ({
    view,
    votedFor,
    acked: { view: 0, height: 0, id: "g" },
  });
  const restored = (): PromiseOracle => {
    const oracle = new PromiseOracle(["A", "B"]);
    for (const each of [record(0), record(1, "B"), record(2)]) {
      oracle.issued(0, each);
      oracle.durable(0, each);
    }
    oracle.restored(0, record(0));
    return oracle;
  };

  it("takes the old record, and another vote in a view without one", () => {
    const oracle = restored();
    for (const each of [record(1, "B"), record(2, "A")]) {
      oracle.issued(0, each);
      oracle.durable(0, each);
    }
  });

  it("fires on a second vote of a view, though the disk does not know of the first [R1]", () => {
    expect(() => restored().durable(0, record(1, "A"))).toThrow("a producer votes once a view");
  });
});

describe("conduct: correct nodes find no fault with one another", () => {
  const conduct = new ConductOracle();
  it.each<[string, Effect]>([
    ["closes a link for misbehaviour", { kind: "disconnect", peer: "p", reason: "misbehaviour", detail: "" }],
    [
      "closes a link for a finality conflict",
      { kind: "disconnect", peer: "p", reason: "finalityConflict", detail: "" },
    ],
    ["cannot decode a frame", { kind: "disconnect", peer: "p", reason: "undecodable", detail: "" }],
    ["complains of a producer", { kind: "log", level: "warn", layer: "net", message: "a producer misbehaves" }],
    ["finds a block invalid", { kind: "log", level: "error", layer: "consensus", message: "a block is not valid" }],
    ["halts", { kind: "halt", why: "so", certificates: [] }],
    [
      "accuses a producer",
      {
        kind: "evidence",
        evidence: { kind: "twoVotes", producer: "p", view: 1, height: 1, bytes: new Uint8Array(0), claims: [] },
      },
    ],
  ])("fires when a node %s", (_, effect) => {
    expect(() => conduct.effect(0, effect)).toThrow("conduct");
  });
  it("takes other logs and closes", () => {
    conduct.effect(0, { kind: "log", level: "info", layer: "consensus", message: "leads" });
    conduct.effect(0, { kind: "disconnect", peer: "p", reason: "shutdown", detail: "" });
  });
});

describe("evidence: names liars only, is kept, and is told to all", () => {
  const claim = { key: "liar", digest: new Uint8Array(32), signature: new Uint8Array(64) };
  const piece = { producer: "liar", kind: "twoBlocks", claims: [claim, claim] };
  const block = (id: string) => ({ id, producer: "liar", view: 1, height: 2 });
  const evidence = (isSigned = true): EvidenceOracle => {
    const oracle = new EvidenceOracle(() => isSigned);
    oracle.distrust("liar");
    return oracle;
  };

  it.each<[string, () => void, string]>([
    ["an honest producer is named", () => evidence().held(0, [{ ...piece, producer: "p" }]), "no honest producer"],
    ["a signature is forged", () => evidence(false).held(0, [piece]), "what it never signed"],
    [
      "what was signed is another's",
      () => evidence().held(0, [{ ...piece, claims: [claim, { ...claim, key: "p" }] }]),
      "what it never signed",
    ],
    [
      "a restart forgets",
      () => {
        const oracle = evidence();
        oracle.durable(0, [piece], []);
        oracle.restarted(0, []);
      },
      "held again",
    ],
    [
      "two blocks of a place are on a disk and the maker is not named",
      () => {
        const oracle = evidence();
        oracle.durable(0, [], [block("a")]);
        oracle.durable(0, [], [block("b")]);
      },
      "seen to make two blocks",
    ],
    [
      "one node holds what another does not",
      () =>
        evidence().atRest([
          { index: 0, knows: () => true, pieces: [piece] },
          { index: 1, knows: () => true, pieces: [] },
        ]),
      "all hold in the end",
    ],
    [
      "it is there in the end",
      () => evidence().atRest([{ index: 0, knows: () => true, pieces: [{ ...piece, producer: "p" }] }]),
      "named",
    ],
  ])("fires when %s", (_, break_, rule) => expect(break_).toThrow(rule));

  it("takes what is right: named with its write, lost with its disk, one block on each of two disks", () => {
    const oracle = evidence();
    oracle.durable(0, [], [block("a")]);
    oracle.durable(1, [], [block("b")]);
    oracle.durable(0, [piece], [block("b")]);
    oracle.restarted(0, [piece]);
    oracle.damaged(0, true);
    oracle.restarted(0, []);
    oracle.durable(0, [], [block("a")]);
    oracle.damaged(0, false);
    oracle.durable(0, [], [block("b")]);
  });
});

describe("streams: roles from matched hellos, parents first, each block once, none sent back [H1] [H3]", () => {
  const receiver = { knows: (id: string) => id === "g", irreversibleHeight: 0 };
  const at = (id: string, parent: string, height: number) => ({ id, parent, height });
  const oracle = (): StreamOracle => {
    const streams = new StreamOracle();
    streams.linkUp(0, 1);
    streams.linkUp(1, 0);
    return streams;
  };

  it("takes blocks in order, and the same again when the link came up anew", () => {
    const streams = oracle();
    for (let life = 0; life < 2; life++) {
      streams.linkUp(0, 1);
      streams.delivered(0, 1, at("a1", "g", 1), receiver, 0);
      streams.delivered(0, 1, at("a2", "a1", 2), receiver, 0);
    }
  });
  it("fires on a block that comes before its parent", () => {
    expect(() => oracle().delivered(0, 1, at("a3", "a2", 3), receiver, 0)).toThrow("parent first");
  });
  it("fires on a block that comes twice over one link", () => {
    const streams = oracle();
    streams.delivered(0, 1, at("a1", "g", 1), receiver, 0);
    expect(() => streams.delivered(0, 1, at("a1", "g", 1), receiver, 0)).toThrow("at most once");
  });
  it("fires on a stream to a peer that has echoed no hello", () => {
    const streams = oracle();
    streams.helloDelivered(1, 0, 0);
    expect(() => streams.sent(0, 1, "a1", 0)).toThrow("[H1]");
    streams.helloDelivered(1, 0, 1);
    streams.sent(0, 1, "a1", 0);
  });
  it("fires on a block sent back to where it came from, once there was time to look at it", () => {
    const streams = oracle();
    streams.helloDelivered(1, 0, 1);
    streams.delivered(1, 0, at("a1", "g", 1), receiver, 100);
    streams.sent(0, 1, "a1", 50);
    expect(() => streams.sent(0, 1, "a1", 150)).toThrow("[H3]");
  });
});

describe("bounds: no queue, buffer or cache exceeds its bound", () => {
  const bounds = boundsOf(CONSENSUS_DEFAULTS, SYNC_LIMITS, 3, 3, 1_000);
  it("fires above a bound and on a size that has none", () => {
    assertBounded(0, { held: 64 }, bounds);
    expect(() => assertBounded(0, { held: 65 }, bounds)).toThrow("held: 65 > 64");
    expect(() => assertBounded(0, { novel: 0 }, bounds)).toThrow("every size has a bound: novel");
  });
});

describe("state: equal blocks give equal states", () => {
  const entry = (key: string, value: number) => ({ key, value: Uint8Array.of(value) });
  it("fires on a missing key, another key and another value", () => {
    const model = [entry("a", 1), entry("b", 2)];
    assertSameState(0, 5, [entry("a", 1), entry("b", 2)], model);
    expect(() => assertSameState(0, 5, [entry("a", 1)], model)).toThrow("1 keys, the model has 2");
    expect(() => assertSameState(0, 5, [entry("a", 1), entry("c", 2)], model)).toThrow("key 63, the model has 62");
    expect(() => assertSameState(0, 5, [entry("a", 1), entry("b", 3)], model)).toThrow("is 03, not 02");
  });
});

describe("reads: a linearizable read sees what was irreversible before it began [R2]", () => {
  it("takes a read at that height or above, and one that was refused", () => {
    const reads = new ReadOracle();
    const [first, second] = [reads.begun(0, 5), reads.begun(0, 5)];
    reads.readable(0, [first], 5);
    reads.refused(0, [second]);
    expect([reads.counts, reads.openAt(0)]).toEqual([{ seen: 1, refused: 1 }, 0]);
  });

  it("fires on a read of an older state, and on one that is answered twice", () => {
    const reads = new ReadOracle();
    const request = reads.begun(0, 5);
    expect(() => reads.readable(0, [request], 4)).toThrow("a read sees what was irreversible before it began");
    expect(() => reads.refused(0, [request])).toThrow("a read is answered once");
  });
});

describe("light client: who knows only the genesis agrees with full nodes", () => {
  const stage = Stage.open(3, { seed: 4 });
  stage.commit(stage.leader, 5);
  for (let i = 0; i < 4; i++) stage.commit(stage.leader);
  stage.settle();
  const { genesis, keys, watch } = stage.simulation;
  const { disk } = stage.node(0);
  const certificate = disk.irreversible?.certificate as Uint8Array;
  const source = { certificate, blockAt: (height: number) => disk.blockAt(height) };
  const top = disk.irreversibleHeight;
  const client = (idAt: (height: number) => string | undefined, verify = true): LightClientOracle =>
    new LightClientOracle(
      (bytes) => decodeCertificate(bytes, genesis.chainId, lookupOf(genesis.configuration)),
      (claim) => verify && keys.verify(claim),
      (height) => idAt(height),
    );
  const full = (height: number): string | undefined => watch.finality.idAt(height);

  it("takes what a correct node has", () => {
    expect(client(full).certificate(0, certificate).height).toBe(top);
    client(full).proofs(0, source, [0, 1, 2, top - 1, top]);
  });

  it("fires when a certificate proves another block than full nodes have, or none yet", () => {
    const other = (height: number): string | undefined => (height === top ? "another" : full(height));
    expect(() => client(other).certificate(0, certificate)).toThrow("full nodes have another");
    expect(() => client(() => undefined).certificate(0, certificate)).toThrow("full nodes have undefined");
  });

  it("fires on a certificate with a false signature, and on one that does not decode", () => {
    expect(() => client(full, false).certificate(0, certificate)).toThrow("a signature that is not valid");
    expect(() => client(full).certificate(0, certificate.subarray(1))).toThrow("its certificate is refused");
  });

  it("fires on a block that is not in the certified history, or is not what full nodes have there", () => {
    const swapped = { ...source, blockAt: (height: number) => disk.blockAt(height === 2 ? 1 : height) };
    expect(() => client(full).proofs(0, swapped, [2])).toThrow("is not in the history");
    const other = (height: number): string | undefined => (height === 2 ? "another" : full(height));
    expect(() => client(other).proofs(0, source, [2])).toThrow("block 2 is proven to be");
  });

  it("fires on a transaction that is not under its header's root", () => {
    const height = Array.from({ length: top }, (_, i) => i).find(
      (at) => disk.blockAt(at).transactions.count > 0,
    ) as number;
    const block = disk.blockAt(height);
    const transactionIds = Uint8Array.from(block.transactionIds, (byte, i) => (i === 0 ? byte ^ 1 : byte));
    const changed = {
      ...source,
      blockAt: (at: number) => (at === height ? { ...block, transactionIds } : disk.blockAt(at)),
    };
    expect(() => client(full).proofs(0, changed, [height])).toThrow("is not under its root");
  });
});

describe("liveness: what is healed agrees in time, and is still then", () => {
  it("fires when a node stays away, and when the chain of an idle network grows", () => {
    const options = { seed: 1, producers: 3, workload: NO_WORKLOAD };
    const lonely = new Simulation(options);
    lonely.startAll();
    lonely.network.block(0, 1);
    expect(() => comeToRest(lonely)).toThrow("converges within");
    const busy = new Simulation({ ...options, workload: { ...NO_WORKLOAD, transactionsPerSecond: 0.2 } });
    busy.startAll();
    busy.beginWorkload();
    expect(() => comeToRest(busy)).toThrow("an idle network does not grow");
  });
});
