import { describe, expect, it } from "vitest";
import { type Block, encodeBlockParts } from "../../chain/block.ts";
import { BLOCK_PREFIX, decodeSyncMessage, encodeHello, type SyncMessage } from "../../consensus/messages.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import type { Input } from "../../src/replica/types.ts";
import { KEYS, naiveChild, naiveGenesis, START_TIME, testGenesis } from "../fixtures/naiveChain.ts";
import { makeReplica } from "../fixtures/replica.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);
const [SELF, PEER, OTHER] = KEYS as [string, string, string];
const AHEAD = START_TIME + 10 * genesis.limits.clockToleranceMs;

/** A replica whose peers are what the test says; all signatures are valid. */
class Node {
  readonly replica = makeReplica(genesis, SELF, START_TIME);
  now = START_TIME;
  readonly sent: { readonly to: string; readonly message: SyncMessage }[] = [];

  step(input: Input): void {
    for (const effect of this.replica.step(input, this.now)) {
      if (effect.kind === "checkSignatures")
        this.step({ kind: "signaturesChecked", batch: effect.batch, valid: effect.claims.map(() => true) });
      else if (effect.kind === "persist") this.step({ kind: "persisted", token: effect.token });
      else if (effect.kind === "send" && effect.lane === "chain") {
        const message = decodeSyncMessage(concatBytes(...effect.parts));
        if (message.ok) this.sent.push({ to: effect.to, message: message.value });
      }
    }
  }
  /** A link comes up, over which the peer says that it has nothing. */
  link(peer: string): void {
    this.step({ kind: "peerUp", peer });
    const ref = { view: 0, height: 0, id: root.id };
    const hello = {
      seq: 1,
      echo: 1,
      head: ref,
      root: ref,
      locator: [{ height: 0, id: root.id }],
      irreversibleHeight: 0,
    };
    this.step({ kind: "received", from: peer, lane: "chain", frame: encodeHello(hello) });
  }
  block(from: string, block: Block): void {
    const frame = concatBytes(BLOCK_PREFIX, ...encodeBlockParts(block));
    this.step({ kind: "received", from, lane: "chain", frame });
  }
  /** Ids of the blocks that a peer was sent. */
  streamed(to: string): string[] {
    return this.sent.flatMap((each) =>
      each.to === to && each.message.kind === "block" ? [each.message.block.id] : [],
    );
  }
}

it("who sent a block that waits here, and was killed before its disk had it, is sent it over its next link [H3]", () => {
  const node = new Node();
  const first = naiveChild(genesis, root, { view: 1 });
  const second = naiveChild(genesis, first, { view: 1 });
  for (const peer of [OTHER, PEER]) node.link(peer);
  node.block(PEER, second.block);
  node.step({ kind: "peerDown", peer: PEER, broken: true });
  node.link(PEER);
  node.block(OTHER, first.block);
  expect([node.replica.ledger.head.id, node.streamed(PEER)]).toEqual([second.id, [first.id, second.id]]);
});

describe("a block whose time is ahead of this node's clock (docs/protocol.md, section 4, time)", () => {
  /** It arrives, and its signature is valid if anybody asks. */
  function heldAfter(block: Block): { held: number; checks: number } {
    const replica = makeReplica(genesis, SELF, START_TIME);
    replica.step({ kind: "peerUp", peer: PEER }, START_TIME);
    const frame = concatBytes(BLOCK_PREFIX, ...encodeBlockParts(block));
    const effects = replica.step({ kind: "received", from: PEER, lane: "chain", frame }, START_TIME);
    const checks = effects.filter(({ kind }) => kind === "checkSignatures").length;
    if (checks > 0) replica.step({ kind: "signaturesChecked", batch: 1, valid: [true] }, START_TIME);
    return { held: replica.status().sizes["held"] as number, checks };
  }

  it("is held once its signature was checked", () => {
    expect(heldAfter(naiveChild(genesis, root, { time: AHEAD }).block)).toEqual({ held: 1, checks: 1 });
  });

  it("is not held where it could never be taken in, at a height that is irreversible: nobody checked who made it", () => {
    const { block } = naiveChild(genesis, root, { time: AHEAD, wrong: { height: 0 } });
    expect(heldAfter(block)).toEqual({ held: 0, checks: 0 });
  });
});
