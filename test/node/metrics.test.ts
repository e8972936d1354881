/** Metrics are named as Prometheus names them: what only grows is a counter and ends with `_total`, nothing else does. */
import { expect, test } from "vitest";
import { type LaneInfo, LANES } from "../../net/link/types.ts";
import { Metrics, type MetricSources } from "../../src/node/metrics.ts";

const LANE: LaneInfo = {
  bytesIn: 10,
  bytesOut: 20,
  framesIn: 1,
  framesOut: 2,
  drops: 3,
  creditWaits: 4,
  queuedBytes: 5,
};

function make() {
  const lanes = Object.fromEntries(LANES.map((lane) => [lane, LANE]));
  const seen = {
    faults: { invalidBlock: 1 },
    earlyVotes: { counted: 2, dropped: 0, expired: 0 },
    links: { off: 0, lanes, downs: { connectionLost: 2 }, refused: { connectionLost: 1 } },
    linkPeers: [{ key: "ab", lanes }],
  };
  const block = { height: 1 };
  const sources = {
    producers: () => ({ role: "producer", isChanging: false, entries: () => [] }),
    status: () => ({
      irreversible: block,
      head: block,
      engine: { view: 1, status: "leader" },
      sync: { state: "synced", target: 1 },
      peers: [{ peer: "ab", score: 7 }],
      mempool: { count: 0, bytes: 0 },
      sizes: {},
      producers: [],
      ...seen,
    }),
    evidence: () => [],
    links: () => seen.links,
    linkPeers: () => seen.linkPeers,
    longestStepMs: () => 0,
    queuedBytes: () => ({ chain: 0, derived: 0 }),
  };
  return { seen, metrics: new Metrics(sources as unknown as MetricSources) };
}

test("what only grows is a counter and ends with _total", async () => {
  const { metrics } = make();
  const types = [...(await metrics.registry.metrics()).matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name, type]) => ({
    name: name as string,
    type,
  }));
  const own = types.filter(({ name }) =>
    /^cairn_(?:chain|consensus|p2p|mempool|blocksync|storage|replica)_/.test(name),
  );
  for (const { name, type } of own) expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
  const counters = own.filter(({ type }) => type === "counter").map(({ name }) => name.replace(/^cairn_|_total$/g, ""));
  expect(counters.sort()).toEqual([
    "chain_fork_switches",
    "chain_transactions",
    "consensus_early_votes",
    "p2p_closed_links",
    "p2p_lane_bytes",
    "p2p_lane_credit_waits",
    "p2p_lane_drops",
    "p2p_lane_frames",
    "p2p_peer_faults",
    "p2p_peer_lane_bytes",
    "p2p_peer_lane_credit_waits",
    "p2p_peer_lane_drops",
    "p2p_peer_lane_frames",
  ]);
});

test("a scrape tells what is counted, and no more the second time; who is gone leaves no series", async () => {
  const { metrics, seen } = make();
  for (let scrape = 0; scrape < 2; scrape++) {
    const lines = (await metrics.registry.metrics()).split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        'cairn_p2p_closed_links_total{reason="connectionLost"} 3',
        'cairn_p2p_peer_faults_total{fault="invalidBlock"} 1',
        'cairn_consensus_early_votes_total{outcome="counted"} 2',
        'cairn_consensus_early_votes_total{outcome="expired"} 0',
        'cairn_p2p_lane_bytes_total{lane="chain",direction="in"} 10',
        'cairn_p2p_lane_drops_total{lane="chain"} 3',
        'cairn_p2p_peer_lane_bytes_total{peer="ab",lane="chain",direction="out"} 20',
        'cairn_p2p_peer_lane_queued_bytes{peer="ab",lane="chain"} 5',
      ]),
    );
  }
  seen.linkPeers = [];
  expect(await metrics.registry.metrics()).not.toContain('peer="ab",lane');
});
