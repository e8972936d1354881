/**
 * The light client among nodes of two histories: two certified ways of changing one producer set, and what is no second
 * history: a node behind, one that is down for a while, one that answers something else.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Proofs } from "../../src/node/proofs.ts";
import { checkEvidence, type ForkEvidence, LightClient } from "../../src/client/light/index.ts";
import { chainGenesis, type ChainShape, makeChain, type SetChange } from "../../tools/inspect/makeChain.ts";
import { errorOf, type Lie, refused, ServedChain } from "../fixtures/lyingServer.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-forks-"));
const OURS = "http://ours";
const THEIRS = "http://theirs";
type Engine = "raft" | "bft";
type Name = "ours" | "atOnce" | "longer";
const chains = {} as Record<`${Engine} ${Name}`, ServedChain>;

/** Three histories of one chain: the set grows at 3; at 3 it becomes another; it is left as it is until 5. */
const HISTORIES: Readonly<Record<Name, { readonly blocks: number; readonly changes: readonly SetChange[] }>> = {
  ours: { blocks: 12, changes: [{ height: 3, producers: [0, 1, 2, 3, 4] }] },
  atOnce: { blocks: 10, changes: [{ height: 3, producers: [0, 1, 2, 5] }] },
  longer: {
    blocks: 16,
    changes: [
      { height: 5, producers: [0, 1, 2, 5] },
      { height: 11, producers: [0, 1, 2, 3] },
    ],
  },
};

beforeAll(async () => {
  for (const engine of ["raft", "bft"] as const) {
    for (const name of Object.keys(HISTORIES) as Name[]) {
      const shape: ChainShape = {
        ...HISTORIES[name],
        engine,
        transactionsPerBlock: 1,
        valueBytes: 20,
        blocksPerCertificate: 2,
        reversible: 0,
        signed: false,
      };
      await makeChain(join(root, engine, name), shape);
      chains[`${engine} ${name}`] = new ServedChain(join(root, engine, name), chainGenesis(engine));
    }
  }
});
afterAll(() => {
  for (const chain of Object.values(chains)) chain.close();
  rmSync(root, { recursive: true, force: true });
});

type Fetch = (url: string) => Promise<Response>;

function open(nodes: Readonly<Record<string, Fetch>>, engine: Engine, state?: unknown): Promise<LightClient> {
  const fetch = (url: string): Promise<Response> => (nodes[new URL(url).origin] as Fetch)(url);
  const platform = { fetch, sleep: async () => undefined };
  return LightClient.open(chainGenesis(engine).value, Object.keys(nodes), {
    platform,
    ...(state === undefined ? {} : { state }),
  });
}

describe.each(["raft", "bft"] as const)("two certified ways of changing one producer set, %s", (engine) => {
  const chain = (name: Name): ServedChain => chains[`${engine} ${name}`];
  const verdict = async (evidence: unknown) =>
    checkEvidence(JSON.parse(JSON.stringify(evidence)), (await open({}, engine)).genesis);

  it.each(["atOnce", "longer"] as const)("are evidence that anybody can check: %s", async (name) => {
    for (const nodes of [
      { [OURS]: chain("ours").fetch(), [THEIRS]: chain(name).fetch() },
      { [THEIRS]: chain(name).fetch(), [OURS]: chain("ours").fetch() },
    ]) {
      const light = await open(nodes, engine);
      const { code, details } = await errorOf(light.sync());
      expect([code, details.nodes]).toEqual(["FORKED", { [OURS]: "forked", [THEIRS]: "forked" }]);
      expect(light.head).toBeUndefined();
      const height = Math.min(HISTORIES.ours.blocks, HISTORIES[name].blocks);
      expect(await verdict(details.evidence)).toMatchObject({ ok: true, height });
    }
  });

  it.each([2, 6, 12])(
    "from a head of height %i, which is kept: nodes of the own history go on from it",
    async (known) => {
      const light = await open({ [OURS]: chain("ours").fetch(undefined, chain("ours").proofsUpTo(known)) }, engine);
      expect((await light.sync()).head.height).toBe(known);
      const later = await open(
        { [OURS]: chain("ours").fetch(), [THEIRS]: chain("longer").fetch() },
        engine,
        light.state,
      );
      const { code, details } = await errorOf(later.sync());
      expect(code).toBe("FORKED");
      expect(await verdict(details.evidence)).toMatchObject({ ok: true });
      expect(later.state).toEqual(light.state);
      const { head } = await (await open({ [OURS]: chain("ours").fetch() }, engine, later.state)).sync();
      expect(head.height).toBe(12);
    },
  );

  it("evidence holds with the changes by which each certificate counts, and with no others", async () => {
    const light = await open({ [OURS]: chain("ours").fetch(), [THEIRS]: chain("atOnce").fetch() }, engine);
    const evidence = (await errorOf(light.sync())).details.evidence as ForkEvidence;
    const { producers, secondProducers, ...rest } = evidence;
    const wrong: Readonly<Record<string, unknown>> = {
      "one way for both": { ...rest, producers },
      "the other for both": { ...rest, producers: secondProducers },
      "each other's": { ...rest, producers: secondProducers, secondProducers: producers },
      "none for the second": { ...rest, producers, secondProducers: [] },
      none: rest,
      "no list": { ...evidence, secondProducers: {} },
    };
    for (const [name, value] of Object.entries(wrong)) expect((await verdict(value)).ok, name).toBe(false);
    expect((await verdict(evidence)).ok).toBe(true);
  });

  it("a way that the set before has not certified is a lie, and no second history", async () => {
    const theirs = chain("atOnce");
    const unsigned: Lie = (path, served) => {
      if (!path.startsWith("/v1/proofs/producers")) return served;
      const body = served.body as { readonly changes: readonly { readonly certificate: string }[] };
      const changes = body.changes.map((each) => ({ ...each, certificate: flipped(each.certificate) }));
      return { ...served, body: { ...body, changes } };
    };
    const light = await open({ [OURS]: chain("ours").fetch(), [THEIRS]: theirs.fetch(unsigned) }, engine);
    const { head, nodes } = await light.sync();
    expect([head.height, ...nodes.map(({ verdict: of }) => of)]).toEqual([12, "current", "lying"]);
  });
});

/** One bit of the last signature. */
function flipped(text: string): string {
  const at = text.length - 12;
  return `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
}

describe("no second history", () => {
  const chain = (name: Name): ServedChain => chains[`raft ${name}`];
  /** A node whose newest block may be changed. */
  const showing = (served: ServedChain, newest: number) => {
    let proofs: Proofs = served.proofsUpTo(newest);
    return {
      fetch: ((url) => served.fetch(undefined, proofs)(url)) as Fetch,
      newest: (height: number): void => void (proofs = served.proofsUpTo(height)),
    };
  };
  const verdicts = async (light: LightClient) =>
    (await light.sync()).nodes.map(({ verdict, height }) => [verdict, height]);

  it("a node that stays where it was while others go on is behind, and has not gone back", async () => {
    const [stays, goes] = [showing(chain("ours"), 6), showing(chain("ours"), 6)];
    const light = await open({ [OURS]: goes.fetch, [THEIRS]: stays.fetch }, "raft");
    await light.sync();
    goes.newest(10);
    const behind = [
      ["current", 10],
      ["behind", 6],
    ];
    expect(await verdicts(light)).toEqual(behind);
    // It is asked for what goes on from its own newest now, since it does not have that of the others.
    expect(await verdicts(light)).toEqual(behind);
    stays.newest(8);
    expect((await verdicts(light))[1]).toEqual(["behind", 8]);
    stays.newest(4);
    expect((await verdicts(light))[1]?.[0]).toBe("wentBack");
  });

  it("a node behind on another history is found out though it never gets to the height that is known", async () => {
    const light = await open({ [OURS]: chain("ours").fetch() }, "raft");
    await light.sync();
    const theirs = showing(chain("longer"), 8);
    const later = await open({ [OURS]: chain("ours").fetch(), [THEIRS]: theirs.fetch }, "raft", light.state);
    const { code, details } = await errorOf(later.sync());
    expect([code, details.evidence?.first.height]).toEqual(["FORKED", 8]);
  });

  it("a node that is down for a while is unreachable, then current; the others are followed meanwhile", async () => {
    let isDown = false;
    const flaky: Fetch = (url) => (isDown ? Promise.reject(new TypeError("refused")) : chain("ours").fetch()(url));
    const steady = showing(chain("ours"), 6);
    const light = await open({ [OURS]: steady.fetch, [THEIRS]: flaky }, "raft");
    await light.sync();
    isDown = true;
    steady.newest(12);
    expect((await verdicts(light)).map(([verdict]) => verdict)).toEqual(["current", "unreachable"]);
    isDown = false;
    expect((await verdicts(light)).map(([verdict]) => verdict)).toEqual(["current", "current"]);
  });

  it("who does not show what its own history has where another's ends is not believed", async () => {
    const silent = chain("longer").fetch((path, served) =>
      path.startsWith("/v1/blocks/") ? refused(409, "NO_PROOF") : served,
    );
    const light = await open({ [THEIRS]: silent, [OURS]: chain("ours").fetch() }, "raft");
    const { head, nodes } = await light.sync();
    expect([head.height, head.id]).toEqual([12, chain("ours").viewAt(12)?.block.id]);
    expect(nodes.map(({ verdict }) => verdict)).toEqual(["wentBack", "current"]);
  });

  it("a proof that goes on from another block than was asked for accuses nobody", async () => {
    const light = await open({ [OURS]: chain("ours").fetch() }, "raft");
    await light.sync();
    const other: Lie = (path, served) =>
      path.startsWith("/v1/proofs/head") ? chain("ours").answer("/v1/proofs/head?from=5") : served;
    const later = await open(
      { [THEIRS]: chain("ours").fetch(other), [OURS]: chain("ours").fetch() },
      "raft",
      light.state,
    );
    expect((await verdicts(later)).map(([verdict]) => verdict)).toEqual(["lying", "current"]);
  });

  it("an answer that is larger than any proof is not read to its end", async () => {
    let read = 0;
    const endless: Fetch = async () => {
      const pull = (controller: ReadableStreamDefaultController): void => {
        read += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(0x5b));
      };
      return new Response(new ReadableStream({ pull }), { status: 200 });
    };
    const light = await open({ [THEIRS]: endless, [OURS]: chain("ours").fetch() }, "raft");
    expect((await verdicts(light)).map(([verdict]) => verdict)).toEqual(["unreachable", "current"]);
    expect(read).toBeLessThan(2 * 1024 * 1024);
  });
});
