/** Submitters whose answer was lost ask again (docs/protocol.md, section 4, "Transactions"): they can always be told. */
import { expect, it } from "vitest";
import { encodeTransaction } from "../../../chain/transaction.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { encodeKvPayload } from "../../../src/node/applications/kvPayload.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

it("what died with its node, and is too old, is proven expired on a chain where nothing else happens", () => {
  const stage = Stage.open(3);
  const { leader } = stage;
  const { workload } = stage.simulation;
  stage.cutOff(leader);
  const bytes = encodeTransaction({
    payload: encodeKvPayload([{ kind: "put", key: utf8("k"), value: utf8("v") }]),
    nonce: new Uint8Array(16),
    expiresAt: stage.node(leader).clientClockMs + 100,
  });
  workload.submit(stage.node(leader), [bytes]);
  stage.crash(leader);
  stage.heal();
  const next = stage.elect(leader);
  stage.advance(2_000);
  const [follower] = stage.others(leader, next) as [number];
  const { height } = stage.head(next).block.header;
  workload.submit(stage.node(follower), [bytes]);
  stage.until("it is told", () => workload.counts.expired === 1, 1_000);
  expect(stage.head(next).height).toBe(height + 1);
});
