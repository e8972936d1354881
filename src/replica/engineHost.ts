/** What the replica does for its engine. */
import type { BftHost } from "../../consensus/bft/host.ts";
import { voteDigest } from "../../consensus/bft/messages.ts";
import {
  contentDigest,
  encodeCertificatePayload,
  encodeSigned,
  encodeVotes,
  type SignedContent,
} from "../../consensus/messages.ts";
import { membersAround } from "../../chain/producerSets.ts";
import { seededRandom } from "../base/random.ts";
import { DRY_RUN_TRANSACTIONS } from "./constants.ts";
import type { ReplicaStart } from "./start.ts";
import type { Core, Parts } from "./wiring.ts";

export function engineHost(start: ReplicaStart, core: Core, parts: Parts): BftHost {
  const { self, genesis, settings, sign } = start;
  const { chainId } = genesis;
  const { ledger, transport, outbox, finality, mempool } = parts;
  const random = seededRandom(start.seed);
  const signed = (content: SignedContent, attachment?: Uint8Array): Uint8Array =>
    encodeSigned(chainId, self, content, sign, attachment);
  const deciding = (): readonly string[] => membersAround(ledger.head);
  return {
    self,
    settings,
    ledger,
    now: core.now,
    random: () => random.next(),
    unicast: (to, content, options) =>
      void transport.unicast(to, "urgent", signed(content, options.attachment), options),
    multicast: (content, options) =>
      transport.multicast(deciding(), "urgent", signed(content, options.attachment), options),
    giveBack: (message) => {
      const payload = encodeSigned(chainId, message.signer, message, () => message.signature);
      transport.toNeighbour(message.signer, "urgent", payload);
    },
    sign: (content) => sign(contentDigest(chainId, content)),
    signVote: (commit, block) => sign(voteDigest(chainId, commit, block)),
    sendVotes: (votes, options) => {
      const payload = encodeVotes({ signer: self, votes });
      if (options.to === undefined) transport.multicast(deciding(), "urgent", payload, options);
      else transport.unicast(options.to, "urgent", payload, options);
    },
    giveBackVotes: (votes) => transport.toNeighbour(votes.signer, "urgent", encodeVotes(votes)),
    irreversibleIdAt: (height) => start.log.idAt(height),
    want: (id) => parts.sync.want(id),
    canInclude: () => canInclude(self, core, parts),
    hasPending: () => mempool.pendingCount > 0 || mempool.needsBlockAfter(ledger.head.block.header.time),
    finalityProof: () => finality.ofHeld,
    accuse: (evidence) => parts.evidence.found(evidence),
    halt: core.halt,
    reaches: (to) => transport.reaches(to),
    readAnswered: (answered, height) => parts.reads.engineAnswered(answered, height),
    persistRecord: () => outbox.persistRecord(),
    whenDurable: (action) => outbox.whenDurable({ kind: "action", action }),
    certified: (node, bytes, tell) => {
      const { height, id } = node;
      const { historyRoot } = node.block.header;
      parts.admission.haltUnless(finality.adopt({ height, id, historyRoot, bytes }));
      if (tell) transport.broadcast("urgent", encodeCertificatePayload(bytes));
    },
    log: (level, message, fields) => core.log(level, "consensus", message, fields),
  };
}

/** Tries what waits on the head's state: what no leader could include is no reason to suspect one. */
function canInclude(self: string, core: Core, { ledger, mempool }: Parts): boolean {
  const { header } = ledger.head.block;
  if (mempool.needsBlockAfter(header.time)) return true;
  if (!ledger.settled || ledger.producing) return mempool.pendingCount > 0;
  const { view, irreversibleHeight } = header;
  const time = Math.max(header.time + 1, core.now());
  ledger.startBlock({ view, time, producer: self, irreversibleHeight, closing: false });
  let found = false;
  for (let tried = 0; tried < DRY_RUN_TRANSACTIONS && !found; tried++) {
    const entry = mempool.take();
    if (entry === undefined) break;
    const pushed = ledger.production?.pushTransaction(entry.bytes, entry.idBytes);
    // What has expired waits for a block that proves it.
    found = pushed?.ok === true || (pushed?.ok === false && pushed.error.code === "TRANSACTION_EXPIRED");
  }
  ledger.abortBlock();
  mempool.putAllBack(core.now());
  return found;
}
