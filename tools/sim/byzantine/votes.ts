/** Lies about votes and view changes: for everything, none, of less than is known, and old ones again. */
import type { BlockRef } from "../../../chain/header.ts";
import { quorumCertificateMessage } from "../../../consensus/bft/certificates.ts";
import { headerMessage } from "../../../chain/header.ts";
import { type ConsensusMessage, decodePayload, decodeSyncMessage, type Payload } from "../../../consensus/messages.ts";
import { decodeEnvelope } from "../../../net/transport/envelope.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import { sha256Hex } from "../../../src/base/hash.ts";
import type { LieMaker } from "./lie.ts";
import type { Parts, Workshop } from "./workshop.ts";

/** Of the urgent lane; undefined: routes, or nothing that reads. */
export function payloadIn(workshop: Workshop, parts: Parts): Payload | undefined {
  const opened = decodeEnvelope(concatBytes(...parts));
  const decoded = opened && decodePayload(workshop.chainId, opened.payload);
  return decoded?.ok === true ? decoded.value : undefined;
}

/** A message of consensus of one's own. */
function ownMessage(workshop: Workshop, parts: Parts): ConsensusMessage | undefined {
  const payload = payloadIn(workshop, parts);
  return payload?.kind === "signed" && payload.message.signer === workshop.key ? payload.message : undefined;
}

/** Prepares and commits every block that it hears of, whatever it is and whoever else did, and with other places than its own. */
export const votesForAll: LieMaker = (workshop) => ({
  stepped(input) {
    if (input.kind !== "received" || input.lane !== "chain") return;
    const decoded = decodeSyncMessage(input.frame);
    if (!decoded.ok || !("block" in decoded.value)) return;
    const { header, id } = decoded.value.block;
    const { view, height, parent } = header;
    const votes = [false, true].flatMap((commit) => [
      workshop.vote(commit, { ...header, id }),
      workshop.vote(commit, { view: view + 1, height, id: parent }),
      workshop.vote(commit, { view: view + 1, height: height + 5, id }),
    ]);
    for (const to of workshop.otherProducers) workshop.tell(to, "urgent", workshop.votes(votes));
  },
});

/** Says nothing that others count: to some, or to all. */
export const withheldVotes: LieMaker = (workshop) => {
  const { dice, others } = workshop;
  const deprived = new Set(dice.chance(0.4) ? others : dice.shuffled(others).slice(0, dice.integer(1, others.length)));
  return {
    instead(lane, parts, to) {
      if (lane !== "urgent" || !deprived.has(to)) return [parts];
      const payload = payloadIn(workshop, parts);
      const isOwn =
        payload?.kind === "votes" || (payload?.kind === "signed" && payload.message.signer === workshop.key);
      return isOwn ? [] : [parts];
    },
  };
};

/** Old certificates that are kept. */
const OLD_MAX = 8;

/** In view changes: block 0, or what was certified long ago. */
export const staleReports: LieMaker = (workshop) => {
  const old: { readonly ref: BlockRef; readonly bytes: Uint8Array }[] = [
    { ref: workshop.genesis, bytes: new Uint8Array(0) },
  ];
  return {
    instead(lane, parts, to) {
      const message = lane === "urgent" ? ownMessage(workshop, parts) : undefined;
      if (message?.kind !== "viewChange") return [parts];
      const ref = certified(message.attachment);
      if (ref !== undefined && old.every((each) => each.ref.id !== ref.id)) {
        old.push({ ref, bytes: message.attachment.slice() });
        if (old.length > OLD_MAX) old.splice(1, 1);
      }
      const { view } = message.content;
      // Never the truth, but where that is block 0.
      const less = old.filter((each) => each.ref.view < view && each.ref.id !== ref?.id);
      const told = workshop.dice.pick(less);
      return [
        workshop.envelope(to, workshop.signed({ kind: "viewChange", content: { view, highQc: told.ref } }, told.bytes)),
      ];
    },
  };
};

function certified(certificate: Uint8Array): BlockRef | undefined {
  const decoded = quorumCertificateMessage.decode(certificate);
  const header = decoded.ok ? headerMessage.decode(decoded.value.header) : undefined;
  if (!decoded.ok || header?.ok !== true) return undefined;
  return { view: header.value.view, height: header.value.height, id: sha256Hex(decoded.value.header) };
}

/** Asks for the next view all the time, and for far ones. */
export const viewChanges: LieMaker = (workshop) => ({
  tick() {
    const { view } = workshop.node.replica.status().engine;
    const content = { view: view + workshop.dice.integer(1, 5), highQc: workshop.genesis };
    for (const to of workshop.otherProducers)
      workshop.tell(to, "urgent", workshop.signed({ kind: "viewChange", content }));
  },
});
