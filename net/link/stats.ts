/** Counters of the link layer since its start. */

import { CLOSE_REASONS, LANES } from "./types.ts";
import type { CloseReason, Lane, LaneInfo, LinkStats, PeerInfo } from "./types.ts";

type LaneTotals = { -readonly [Name in keyof Omit<LaneInfo, "queuedBytes">]: number };

export class Counters {
  readonly downs = zeroes(CLOSE_REASONS);
  readonly refused = zeroes(CLOSE_REASONS);
  readonly sendsRefused = zeroes(LANES);
  linksOpened = 0;
  dials = 0;
  dialFailures = 0;
  connectionsShed = 0;
  /** Traffic of links that are down; the live ones are added when asked. */
  readonly #past = laneTotals();

  /** Keeps the traffic of a link that went down. */
  retire(info: Pick<PeerInfo, "lanes">): void {
    addTraffic(this.#past, info);
  }

  snapshot(live: readonly PeerInfo[], now: Pick<LinkStats, "off" | "handshakes" | "targets">): LinkStats {
    const lanes = laneTotals();
    for (const lane of LANES) Object.assign(lanes[lane], this.#past[lane]);
    for (const info of live) addTraffic(lanes, info);
    const { linksOpened, dials, dialFailures, connectionsShed } = this;
    return {
      ...now,
      links: live.length,
      linksOpened,
      downs: { ...this.downs },
      refused: { ...this.refused },
      dials,
      dialFailures,
      connectionsShed,
      sendsRefused: { ...this.sendsRefused },
      lanes,
    };
  }
}

function addTraffic(totals: Record<Lane, LaneTotals>, info: Pick<PeerInfo, "lanes">): void {
  for (const lane of LANES) {
    totals[lane].bytesIn += info.lanes[lane].bytesIn;
    totals[lane].bytesOut += info.lanes[lane].bytesOut;
    totals[lane].framesIn += info.lanes[lane].framesIn;
    totals[lane].framesOut += info.lanes[lane].framesOut;
    totals[lane].drops += info.lanes[lane].drops;
    totals[lane].creditWaits += info.lanes[lane].creditWaits;
  }
}

function laneTotals(): Record<Lane, LaneTotals> {
  const one = (): LaneTotals => ({
    bytesIn: 0,
    bytesOut: 0,
    framesIn: 0,
    framesOut: 0,
    drops: 0,
    creditWaits: 0,
  });
  return { urgent: one(), chain: one(), bulk: one() };
}

function zeroes<Name extends CloseReason | Lane>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}
