/** Metrics of the links' lanes, in all and by peer; there are as many peers as the configuration admits. */
import { Gauge, type Registry } from "prom-client";
import { type Lane, type LaneInfo, LANES } from "../../net/link/types.ts";
import type { MetricSources } from "./metrics.ts";
import { type SetCount, totals } from "./totals.ts";

type Totals = Omit<LaneInfo, "queuedBytes">;

interface Figure<Info> {
  readonly name: string;
  readonly help: string;
  /** By direction where there are two of it. */
  readonly read: (info: Info) => number | { readonly in: number; readonly out: number };
}

const TOTALS: readonly Figure<Totals>[] = [
  { name: "bytes", help: "Bytes", read: ({ bytesIn, bytesOut }) => ({ in: bytesIn, out: bytesOut }) },
  { name: "frames", help: "Frames", read: ({ framesIn, framesOut }) => ({ in: framesIn, out: framesOut }) },
  { name: "drops", help: "Messages dropped at the lane's cap", read: ({ drops }) => drops },
  {
    name: "credit_waits",
    help: "Times that data waited for the peer's credit",
    read: ({ creditWaits }) => creditWaits,
  },
];

const QUEUED: Figure<LaneInfo> = {
  name: "queued_bytes",
  help: "Bytes that wait to be sent",
  read: ({ queuedBytes }) => queuedBytes,
};

export function laneMetrics(registry: Registry, sources: Pick<MetricSources, "links" | "linkPeers">): void {
  const ofPeers = (figure: Figure<LaneInfo>, set: SetCount): void => {
    for (const { key, lanes } of sources.linkPeers()) {
      eachLane(lanes, figure, (lane, labels, value) => set({ peer: key, lane, ...labels }, value));
    }
  };
  for (const figure of TOTALS) {
    const { name, help } = figure;
    const ofAll = `${help} since the start, by lane.`;
    totals(registry, `cairn_p2p_lane_${name}_total`, ofAll, ["lane", "direction"], (set) =>
      eachLane(sources.links().lanes, figure, (lane, labels, value) => set({ lane, ...labels }, value)),
    );
    const ofPeer = `${help} since the link is up, by peer and lane.`;
    totals(registry, `cairn_p2p_peer_lane_${name}_total`, ofPeer, ["peer", "lane", "direction"], (set) =>
      ofPeers(figure, set),
    );
  }
  new Gauge({
    name: `cairn_p2p_peer_lane_${QUEUED.name}`,
    help: `${QUEUED.help} of the link that is up, by peer and lane.`,
    labelNames: ["peer", "lane"],
    registers: [registry],
    collect() {
      // Peers that are gone leave no series.
      this.reset();
      ofPeers(QUEUED, (labels, value) => this.set(labels, value));
    },
  });
}

function eachLane<Info>(
  lanes: Readonly<Record<Lane, Info>>,
  { read }: Figure<Info>,
  tell: (lane: Lane, labels: Record<string, string>, value: number) => void,
): void {
  for (const lane of LANES) {
    const value = read(lanes[lane]);
    if (typeof value === "number") tell(lane, {}, value);
    else for (const direction of ["in", "out"] as const) tell(lane, { direction }, value[direction]);
  }
}
