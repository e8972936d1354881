/** The light client against nodes that tell the truth, and against every lie that docs/proofs.md speaks of. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { provenSets } from "../../consensus/provenSets.ts";
import type { Proofs } from "../../src/node/proofs.ts";
import {
  checkEvidence,
  LightClient,
  type LightError,
  type ForkEvidence,
  type LightState,
  type NodeReport,
} from "../../src/client/light/index.ts";
import { chainGenesis, makeChain, SMALL_CHAIN } from "../../tools/inspect/makeChain.ts";
import { errorOf, type Lie, refused, type Served, ServedChain } from "../fixtures/lyingServer.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-light-"));
const HONEST = "http://honest";
const LIAR = "http://liar";
const chains = {} as Record<"raft" | "bft" | "fork" | "changedRaft" | "changedBft", ServedChain>;
/** The set grows at 3, and goes back but for one at 9. */
const CHANGES = [
  { height: 3, producers: [0, 1, 2, 3, 4] },
  { height: 9, producers: [0, 1, 5, 3] },
];

beforeAll(async () => {
  const make = async (name: string, engine: "raft" | "bft", transactionsPerBlock: number): Promise<ServedChain> => {
    await makeChain(join(root, name), { ...SMALL_CHAIN, engine, transactionsPerBlock });
    return new ServedChain(join(root, name), chainGenesis(engine));
  };
  chains.raft = await make("raft", "raft", 5);
  chains.bft = await make("bft", "bft", 5);
  const changing = async (name: string, engine: "raft" | "bft"): Promise<ServedChain> => {
    const shape = { ...SMALL_CHAIN, engine, blocks: 16, blocksPerCertificate: 2, reversible: 0, changes: CHANGES };
    await makeChain(join(root, name), shape);
    return new ServedChain(join(root, name), chainGenesis(engine));
  };
  chains.changedRaft = await changing("changedRaft", "raft");
  chains.changedBft = await changing("changedBft", "bft");
  // The same producers have signed another history, as they never should.
  chains.fork = await make("fork", "raft", 4);
});
afterAll(() => {
  for (const chain of Object.values(chains)) chain.close();
  rmSync(root, { recursive: true, force: true });
});

interface Nodes {
  readonly [url: string]: (url: string) => Promise<Response>;
}

function open(nodes: Nodes, state?: unknown, engine: "raft" | "bft" = "raft"): Promise<LightClient> {
  const platform = {
    fetch: (url: string) => (nodes[new URL(url).origin] as Nodes[string])(url),
    sleep: async () => undefined,
  };
  return LightClient.open(chains[engine].genesis.value, Object.keys(nodes), {
    platform,
    ...(state === undefined ? {} : { state }),
  });
}

const idAt = (chain: ServedChain, height: number, index: number): string =>
  Buffer.from(chain.viewAt(height)!.block.transactionIds.subarray(32 * index, 32 * index + 32)).toString("hex");

describe.each(["raft", "bft"] as const)("from honest nodes, %s", (engine) => {
  it("learns the newest block from the genesis alone, and goes on from it", async () => {
    const chain = chains[engine];
    const light = await open({ [HONEST]: chain.fetch(undefined, chain.proofsUpTo(9)) }, undefined, engine);
    expect(light.head).toBeUndefined();
    const { head } = await light.sync();
    expect(head).toMatchObject({ height: 8, id: chain.viewAt(8)?.block.id });
    const later = await open({ [HONEST]: chain.fetch() }, light.state, engine);
    expect(later.head).toEqual(head);
    const { head: newest, nodes } = await later.sync();
    expect(newest).toMatchObject({ height: 20, id: chain.viewAt(20)?.block.id });
    expect(nodes).toEqual([{ url: HONEST, height: 20, verdict: "current" }]);
  });

  it("verifies blocks with all their transactions, and a transaction with its receipt", async () => {
    const chain = chains[engine];
    const light = await open({ [HONEST]: chain.fetch() }, undefined, engine);
    for (const height of [1, 7, 20]) {
      const { id, transactions } = await light.block(height);
      expect([id, transactions.length]).toEqual([chain.viewAt(height)?.block.id, 5]);
    }
    expect(await light.transaction(idAt(chain, 6, 3))).toMatchObject({ height: 6, index: 3 });
  });
});

it("says whom it trusts", async () => {
  expect((await open({ [HONEST]: chains.raft.fetch() })).trust).toContain("no producer lies");
  expect((await open({ [HONEST]: chains.bft.fetch() }, undefined, "bft")).trust).toContain("third");
  const vsr = { ...(chains.raft.genesis.value as object), engine: "vsr" };
  expect((await LightClient.open(vsr, [HONEST])).trust).toContain("no producer lies");
});

describe("a node behind the others", () => {
  const verdicts = (nodes: readonly NodeReport[]): string[] => nodes.map(({ verdict }) => verdict);

  it("its stale head is not taken for the newest", async () => {
    const { raft } = chains;
    const light = await open({ [LIAR]: raft.fetch(undefined, raft.proofsUpTo(12)), [HONEST]: raft.fetch() });
    const { head, nodes } = await light.sync();
    expect(head.height).toBe(20);
    expect(verdicts(nodes)).toEqual(["behind", "current"]);
  });

  it("what it has shown before and withholds now is noticed", async () => {
    const { raft } = chains;
    let proofs: Proofs = raft.proofsUpTo(20);
    const wavering: Nodes[string] = (url) => raft.fetch(undefined, proofs)(url);
    const light = await open({ [LIAR]: wavering, [HONEST]: raft.fetch() });
    await light.sync();
    proofs = raft.proofsUpTo(12);
    const { nodes } = await light.sync();
    expect(verdicts(nodes)).toEqual(["wentBack", "current"]);
  });

  it("alone it can show nothing older as new", async () => {
    const { raft } = chains;
    const light = await open({ [HONEST]: raft.fetch() });
    await light.sync();
    const alone = await open({ [LIAR]: raft.fetch(undefined, raft.proofsUpTo(12)) }, light.state);
    expect((await errorOf(alone.sync())).code).toBe("NOT_PROVEN");
    expect(alone.head?.height).toBe(20);
  });
});

type Proof = Record<string, unknown>;
const changed = (served: Served, change: (proof: Proof) => Proof): Served => ({
  ...served,
  body: change(served.body as Proof),
});
const flippedText = (text: unknown): string => {
  const first = (text as string).at(40) === "A" ? "B" : "A";
  return `${(text as string).slice(0, 40)}${first}${(text as string).slice(41)}`;
};
const shorter = (list: unknown): unknown => (list as unknown[]).slice(0, -1);

/** What a liar does with a head, block or transaction proof of the chain with `transactionsPerBlock` 5. */
const LIES: Readonly<Record<string, Lie>> = {
  "a forged certificate": (_, served) =>
    changed(served, (proof) => ({ ...proof, certificate: flippedText(proof["certificate"]) })),
  "a truncated tree": (_, served) =>
    changed(served, (proof) => ({ ...proof, historyPath: shorter(proof["historyPath"]) })),
  "another chain": async (path) => chains.bft.answer(path),
  "another format": (_, served) => changed(served, (proof) => ({ ...proof, format: "cairn-block-proof-0" })),
  "a member more": (_, served) => changed(served, (proof) => ({ ...proof, note: "believe me" })),
  "no JSON of a proof": () => ({ status: 200, body: [1, 2, 3] }),
};

describe.each(Object.entries(LIES))("a node that lies: %s", (_, lie) => {
  it("is found out, and another node is believed", async () => {
    const { raft } = chains;
    const known = await open({ [HONEST]: raft.fetch(undefined, raft.proofsUpTo(8)) });
    await known.sync();
    const light = await open({ [LIAR]: raft.fetch(lie), [HONEST]: raft.fetch() }, known.state);
    const { head, nodes } = await light.sync();
    expect(head.height).toBe(20);
    expect(nodes.map(({ verdict }) => verdict)).toEqual(["lying", "current"]);
    // Height 5 is not certified itself: its proof needs a path.
    expect((await light.block(5)).id).toBe(raft.viewAt(5)?.block.id);
  });

  it("alone convinces of nothing", async () => {
    const { raft } = chains;
    const light = await open({ [LIAR]: raft.fetch(lie) });
    expect((await errorOf(light.sync())).code).toBe("NOT_PROVEN");
    expect((await errorOf(light.block(5))).code).toBe("NOT_PROVEN");
    expect(light.head).toBeUndefined();
  });
});

describe("lies about blocks and transactions", () => {
  const alone = (lie: Lie): Promise<LightClient> => open({ [LIAR]: chains.raft.fetch(lie) });

  it("a wrong block: other transactions under a proven header", async () => {
    const lie: Lie = async (path, served) => (path === "/v1/blocks/5" ? chains.raft.answer("/v1/blocks/6") : served);
    expect((await errorOf((await alone(lie)).block(5))).message).toContain("transactionRoot");
  });

  it("a transaction left out", async () => {
    const lie: Lie = (path, served) =>
      path === "/v1/blocks/5"
        ? changed(served, (block) => ({ ...block, transactions: shorter(block["transactions"]) }))
        : served;
    expect((await errorOf((await alone(lie)).block(5))).message).toContain("transactionRoot");
  });

  it("a valid proof of another height, and of another transaction", async () => {
    const { raft } = chains;
    const light = await alone(async (path, served) => {
      if (path.startsWith("/v1/transactions/")) return raft.answer(`/v1/transactions/${idAt(raft, 6, 2)}?proof=true`);
      return path === "/v1/blocks/5/proof" ? raft.answer("/v1/blocks/6/proof") : served;
    });
    expect((await errorOf(light.block(5))).message).toContain("asked for");
    expect((await errorOf(light.transaction(idAt(raft, 6, 3)))).message).toContain("asked for");
  });

  it("a valid certificate for another height", async () => {
    const { raft } = chains;
    const below = (await raft.answer("/v1/blocks/4/proof")).body as Proof;
    const light = await alone((path, served) =>
      path === "/v1/blocks/5/proof"
        ? changed(served, (proof) => ({ ...proof, certificate: below["certificate"] }))
        : served,
    );
    expect((await errorOf(light.block(5))).message).toContain("historyPath");
  });

  it("a node that says it has nothing is no liar, and convinces of nothing", async () => {
    const error = await errorOf((await alone(() => refused(409, "NO_PROOF"))).block(5));
    expect([error.code, error.details.nodes?.[LIAR]]).toEqual(["NOT_PROVEN", "no_proof"]);
  });
});

describe("two histories", () => {
  const evidenceOf = async (promise: Promise<unknown>): Promise<ForkEvidence> => {
    const { code, details } = await errorOf(promise);
    expect(code).toBe("FORKED");
    return details.evidence as ForkEvidence;
  };
  const verdict = (value: unknown) =>
    LightClient.open(chains.raft.genesis.value, [HONEST]).then(({ genesis }) =>
      checkEvidence(JSON.parse(JSON.stringify(value)), genesis),
    );

  it.each([
    ["at one height", 20, 20],
    ["one further than the other", 12, 20],
  ])("two nodes show two certified ones, %s: evidence that anybody can check", async (_, mine, theirs) => {
    const { raft, fork } = chains;
    const light = await open({
      [HONEST]: raft.fetch(undefined, raft.proofsUpTo(mine)),
      [LIAR]: fork.fetch(undefined, fork.proofsUpTo(theirs)),
    });
    const evidence = await evidenceOf(light.sync());
    expect(await verdict(evidence)).toMatchObject({ ok: true, height: Math.min(mine, theirs) });
    expect(light.head).toBeUndefined();
  });

  it("a node goes on from another block than the one that is known", async () => {
    const { raft, fork } = chains;
    const light = await open({ [HONEST]: raft.fetch(undefined, raft.proofsUpTo(8)) });
    await light.sync();
    const later = await open({ [LIAR]: fork.fetch() }, light.state);
    const evidence = await evidenceOf(later.sync());
    expect(await verdict(evidence)).toMatchObject({ ok: true, height: 8 });
  });

  it("evidence that does not hold accuses nobody", async () => {
    const { raft, fork } = chains;
    const light = await open({ [HONEST]: raft.fetch(), [LIAR]: fork.fetch() });
    const evidence = await evidenceOf(light.sync());
    const wrong: Record<string, unknown> = {
      "the same block twice": { ...evidence, second: evidence.first },
      "different heights": { ...evidence, second: (await fork.answer("/v1/blocks/7/proof")).body },
      "a forged certificate": {
        ...evidence,
        second: { ...evidence.second, certificate: flippedText(evidence.second.certificate) },
      },
      "another chain": { ...evidence, chainId: "00".repeat(32) },
      "a member more": { ...evidence, note: 1 },
    };
    for (const [name, value] of Object.entries(wrong)) expect((await verdict(value)).ok, name).toBe(false);
  });
});

describe.each(["raft", "bft"] as const)("a chain whose producers change, %s", (engine) => {
  const chain = (): ServedChain => chains[engine === "raft" ? "changedRaft" : "changedBft"];
  const from = (lie?: Lie): Promise<LightClient> => open({ [LIAR]: chain().fetch(lie) }, undefined, engine);
  const both = async (): Promise<Proof> => (await chain().answer("/v1/proofs/producers")).body as Proof;
  const instead =
    (body: unknown): Lie =>
    (path, served) =>
      path.startsWith("/v1/proofs/producers") ? { status: 200, body } : served;

  it("is followed certificate by certificate from the genesis on, and from what was kept", async () => {
    const light = await from();
    const { head, nodes } = await light.sync();
    expect(head).toMatchObject({ height: 16, id: chain().viewAt(16)?.block.id });
    expect(nodes).toEqual([{ url: LIAR, height: 16, verdict: "current" }]);
    expect(light.genesis.changes?.map(({ height, next }) => [height, next.producers.length])).toEqual([
      [3, 5],
      [9, 4],
    ]);
    const { id } = await light.block(5);
    expect(id).toBe(chain().viewAt(5)?.block.id);
    expect(await light.transaction(idAt(chain(), 12, 1))).toMatchObject({ height: 12, index: 1 });
    const kept = JSON.parse(JSON.stringify(light.state)) as unknown;
    const later = await open({ [HONEST]: chain().fetch(instead([])) }, kept, engine);
    expect((await later.sync()).head).toEqual(head);
  });

  it("several nodes may show the changes at the same time", async () => {
    const light = await open({ [LIAR]: chain().fetch(), [HONEST]: chain().fetch() }, undefined, engine);
    const { nodes } = await light.sync();
    expect(nodes.map(({ verdict }) => verdict)).toEqual(["current", "current"]);
  });

  it("a change that is left out, made up or shown too late convinces of nothing", async () => {
    const whole = await both();
    const [first, second] = whole["changes"] as [Proof, Proof];
    const without = async (change: Record<string, unknown>): Promise<string> => {
      const light = await from(instead({ ...whole, ...change }));
      const error = await errorOf(light.sync());
      expect([error.code, light.head]).toEqual(["NOT_PROVEN", undefined]);
      return error.details.nodes?.[LIAR] ?? "";
    };
    expect(await without({ changes: [second] })).toContain("a change is missing, or made up");
    expect(await without({ changes: [] })).toContain("no change has brought");
    const mine = (second["producers"] as string[]).map(() => "ab".repeat(32));
    expect(await without({ changes: [{ ...first, producers: mine }, second] })).toContain("producers");
    expect(await without({ changes: [{ ...first, producers: second["producers"] }] })).toContain("header proposes");
    expect(await without({ changes: [{ ...first, certificate: flippedText(first["certificate"]) }, second] })).toMatch(
      /producers/,
    );
    const silent = await from((path, served) =>
      path.startsWith("/v1/proofs/producers") ? refused(409, "NO_PROOF") : served,
    );
    expect((await silent.sync().catch((error: LightError) => error.code)) as unknown).toBe("NOT_PROVEN");
  });

  it("a certificate of the set that was left proves no later block", async () => {
    const light = await from();
    await light.sync();
    const { configuration, changes = [] } = light.genesis;
    const named = provenSets(configuration, changes);
    expect([3, 4, 16].map((height) => named(configuration.hash, height) !== undefined)).toEqual([true, false, false]);
    const next = changes[0]?.next.hash ?? "";
    expect([3, 4, 5, 9, 10].map((height) => named(next, height) !== undefined)).toEqual([
      false,
      false,
      true,
      true,
      false,
    ]);
  });

  it("changes that were kept and altered on disk are refused", async () => {
    const light = await from();
    await light.sync();
    const state = light.state as LightState;
    const [proof] = state.producers ?? [];
    const altered = { ...state, producers: [{ ...proof, changes: proof?.changes.slice(1) }] };
    expect((await errorOf(open({ [HONEST]: chain().fetch() }, altered, engine))).code).toBe("STATE_INVALID");
    const { producers: _, ...without } = state;
    expect((await errorOf(open({ [HONEST]: chain().fetch() }, without, engine))).code).toBe("STATE_INVALID");
  });
});

it("state that was changed on disk is refused, and so is a genesis that is none", async () => {
  const { raft } = chains;
  const light = await open({ [HONEST]: raft.fetch() });
  await light.sync();
  const state = { ...light.state, certificate: flippedText(light.state?.certificate) };
  expect((await errorOf(open({ [HONEST]: raft.fetch() }, state))).code).toBe("STATE_INVALID");
  expect((await errorOf(LightClient.open({ engine: "raft", producers: [] }, [HONEST]))).code).toBe("GENESIS_INVALID");
});
