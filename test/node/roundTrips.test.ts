/** What routes are told of links (docs/protocol.md, section 1, "Failure detector"). */
import { expect, it } from "vitest";
import type { PeerInfo } from "../../net/link/types.ts";
import { RoundTrips } from "../../src/node/roundTrips.ts";

it("a link tells its round trip when that changes, and a slow one, once, while nothing answers", () => {
  let link = { key: "a", rttMs: undefined, unansweredMs: 0, connectedAtMs: 1 } as unknown as PeerInfo;
  const told: number[] = [];
  const roundTrips = new RoundTrips(
    () => [link],
    (_, ms) => told.push(ms),
  );
  const look = (change: Partial<PeerInfo>): void => {
    link = { ...link, ...change };
    roundTrips.look();
  };
  look({});
  look({ rttMs: 40 });
  look({ unansweredMs: 900 });
  look({ unansweredMs: 1_100 });
  look({ unansweredMs: 1_600 });
  look({ unansweredMs: 0 });
  look({ connectedAtMs: 2 });
  expect(told).toEqual([40, 1_000, 40, 40]);
});
