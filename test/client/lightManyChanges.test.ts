/** What it costs a light client to follow a chain whose producers have changed often (docs/proofs.md). */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { LightClient } from "../../src/client/light/index.ts";
import { chainGenesis, makeChain, SMALL_CHAIN } from "../../tools/inspect/makeChain.ts";
import { type Lie, ServedChain } from "../fixtures/lyingServer.ts";

const CHANGES = 50;
const URL_OF_IT = "http://node";
const root = mkdtempSync(join(tmpdir(), "cairn-changes-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Four of six keys in an order that was not there before, every four blocks: a set that is the same again proves a head by itself. */
const ORDERS = [0, 1, 2, 3, 4, 5].flatMap((a) =>
  [0, 1, 2, 3, 4, 5].flatMap((b) =>
    [0, 1, 2, 3, 4, 5]
      .flatMap((c) => [0, 1, 2, 3, 4, 5].map((d) => [a, b, c, d]))
      .filter((set) => new Set(set).size === 4),
  ),
);
const changes = Array.from({ length: CHANGES }, (_, i) => ({
  height: 3 + 4 * i,
  producers: ORDERS[5 * i + 1] as number[],
}));

describe.each(["raft", "bft"] as const)(`${CHANGES} changes of four producers, %s`, (engine) => {
  it("are followed from the genesis in three requests and less than 100 kB, one by one as they come, and kept as two proofs", async () => {
    const dir = join(root, engine);
    const blocks = 4 * CHANGES + 4;
    const shape = { ...SMALL_CHAIN, engine, blocks, transactionsPerBlock: 1, blocksPerCertificate: 2, reversible: 0 };
    await makeChain(dir, { ...shape, changes });
    const chain = new ServedChain(dir, chainGenesis(engine));
    const asked: string[] = [];
    let bytes = 0;
    let newest = blocks;
    const fetch = async (url: string): Promise<Response> => {
      const response = await chain.fetch(undefined, chain.proofsUpTo(newest))(url);
      asked.push(new URL(url).pathname);
      bytes += (await response.clone().arrayBuffer()).byteLength;
      return response;
    };
    const open = (state?: unknown): Promise<LightClient> =>
      LightClient.open(chainGenesis(engine).value, [URL_OF_IT], { platform: { fetch }, ...(state ? { state } : {}) });

    const light = await open();
    expect((await light.sync()).head.height).toBe(blocks);
    expect(light.genesis.changes?.length).toBe(CHANGES);
    expect(asked).toEqual(["/v1/proofs/head", "/v1/proofs/producers", "/v1/proofs/producers"]);
    expect(bytes).toBeLessThan(100_000);
    expect(JSON.stringify(light.state).length).toBeLessThan(bytes);

    const follower = await open();
    for (newest = 4; newest <= blocks; newest += 4) await follower.sync();
    expect(follower.head).toEqual(light.head);
    expect(follower.state?.producers?.map(({ changes: each }) => each.length)).toEqual([32, CHANGES - 32]);
    expect((await open(JSON.parse(JSON.stringify(follower.state)))).head).toEqual(light.head);
    chain.close();
  });
});

it("producers who are the same again prove a head with no change known; blocks of the time between are proven when asked for", async () => {
  const dir = join(root, "again");
  const back = [
    { height: 3, producers: [0, 1, 2, 3, 4] },
    { height: 7, producers: [0, 1, 2] },
    { height: 15, producers: [0, 1, 5] },
  ];
  const shape = { ...SMALL_CHAIN, blocks: 20, transactionsPerBlock: 1, blocksPerCertificate: 2, reversible: 0 };
  await makeChain(dir, { ...shape, changes: back });
  const chain = new ServedChain(dir, chainGenesis());
  const young = chain.fetch(undefined, chain.proofsUpTo(12));
  const light = await LightClient.open(chainGenesis().value, [URL_OF_IT], { platform: { fetch: young } });
  expect((await light.sync()).head.height).toBe(12);
  expect(light.genesis.changes).toBeUndefined();
  expect((await light.block(6)).id).toBe(chain.viewAt(6)?.block.id);
  expect(light.genesis.changes?.slice(0, 2).map(({ height }) => height)).toEqual([3, 7]);
  expect((await light.sync()).nodes).toEqual([{ url: URL_OF_IT, height: 12, verdict: "current" }]);

  // Who leaves out the two sets between makes nobody else a liar.
  const leavesOut: Lie = (path, served) => {
    const body = served.body as { readonly changes: readonly unknown[] };
    return path.startsWith("/v1/proofs/producers?above=0")
      ? { ...served, body: { ...body, changes: body.changes.slice(2) } }
      : served;
  };
  const told = await LightClient.open(chainGenesis().value, [URL_OF_IT], {
    platform: { fetch: chain.fetch(leavesOut) },
  });
  expect((await told.sync()).head.height).toBe(20);
  expect(told.genesis.changes?.map(({ height }) => height)).toEqual([15]);
  const behind = chain.fetch(undefined, chain.proofsUpTo(6));
  const fetch = (url: string): Promise<Response> => (url.startsWith(URL_OF_IT) ? chain.fetch() : behind)(url);
  const options = { platform: { fetch }, state: told.state };
  const later = await LightClient.open(chainGenesis().value, [URL_OF_IT, "http://behind"], options);
  expect((await later.sync()).nodes.map(({ verdict, height }) => [verdict, height])).toEqual([
    ["current", 20],
    ["behind", 6],
  ]);
  chain.close();
});
