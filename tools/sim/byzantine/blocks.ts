/** Lies about blocks: two of a kind, none, wrong ones, and openings that no rule allows. */
import type { Block } from "../../../chain/block.ts";
import { ancestorAt, type BlockNode } from "../../../chain/forkDatabase.ts";
import {
  encodeQuorumCertificate,
  entryMessage,
  handoffEntry,
  quorumCertificateMessage,
} from "../../../consensus/bft/certificates.ts";
import { type SignedVote, viewChangeDigest } from "../../../consensus/bft/messages.ts";
import { decodePayload, decodeSyncMessage } from "../../../consensus/messages.ts";
import { decodeEnvelope } from "../../../net/transport/envelope.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import type { Decoded } from "../../../src/base/codec.ts";
import { sha256Hex } from "../../../src/base/hash.ts";
import type { Effect, Input } from "../../../src/replica/types.ts";
import type { Lie, LieMaker } from "./lie.ts";
import type { Parts, Workshop } from "./workshop.ts";

/** The block of a frame of the chain lane; undefined: it is another message. */
function blockIn(parts: Parts): { readonly block: Block; readonly requested: boolean } | undefined {
  const decoded = decodeSyncMessage(concatBytes(...parts));
  if (!decoded.ok || (decoded.value.kind !== "block" && decoded.value.kind !== "blockResponse")) return undefined;
  return { block: decoded.value.block, requested: decoded.value.kind === "blockResponse" };
}

/** Some of the others, at least one. */
function someOf(workshop: Workshop): Set<number> {
  const { dice, others } = workshop;
  return new Set(dice.shuffled(others).slice(0, dice.integer(1, Math.max(1, others.length - 1))));
}

/** Blocks that its replica has made in this step. */
function* produced(workshop: Workshop, effects: readonly Effect[]): Generator<BlockNode> {
  for (const effect of effects) {
    if (effect.kind !== "persist") continue;
    for (const { id } of effect.blocks) {
      const node = workshop.ledger.get(id);
      if (node?.block.header.producer === workshop.key) yield node;
    }
  }
}

/** Two chains, block by block: some get the one, the rest the other; and each side the votes for its own. */
export const twoBlocks: LieMaker = (workshop) => {
  const second = someOf(workshop);
  return {
    instead(lane, parts, to) {
      if (!second.has(to)) return [parts];
      if (lane === "urgent") return [votesForTwins(workshop, parts, to) ?? parts];
      const sent = lane === "chain" ? blockIn(parts) : undefined;
      const twin = sent && workshop.twinOf(sent.block);
      return [twin === undefined ? parts : workshop.blockFrame(twin, sent?.requested)];
    },
    stepped(input) {
      serveTwin(workshop, input);
    },
  };
};

function votesForTwins(workshop: Workshop, parts: Parts, to: number): Parts | undefined {
  const opened = decodeEnvelope(concatBytes(...parts));
  const decoded = opened && decodePayload(workshop.chainId, opened.payload);
  if (decoded?.ok !== true || decoded.value.kind !== "votes" || decoded.value.votes.signer !== workshop.key)
    return undefined;
  const votes = decoded.value.votes.votes.map((signed): SignedVote => {
    const node = workshop.ledger.get(signed.vote.id);
    const twin = node && workshop.twinOf(node.block);
    return twin === undefined ? signed : workshop.vote(signed.commit, { ...twin.header, id: twin.id });
  });
  return workshop.envelope(to, workshop.votes(votes));
}

/** Whoever got the child of a twin asks for the twin. */
function serveTwin(workshop: Workshop, input: Input): void {
  if (input.kind !== "received" || input.lane !== "chain") return;
  const decoded = decodeSyncMessage(input.frame);
  if (!decoded.ok || decoded.value.kind !== "blockRequest") return;
  const twin = workshop.twinById(decoded.value.id);
  const to = workshop.others.find((index) => workshop.keyOf(index) === input.from);
  if (twin !== undefined && to !== undefined) workshop.node.say(to, "chain", workshop.blockFrame(twin, true));
}

/** Both chains to everybody, and votes for both. */
export const bothBlocks: LieMaker = (workshop) => ({
  stepped(input, effects) {
    serveTwin(workshop, input);
    for (const { block } of produced(workshop, effects)) {
      const twin = workshop.twinOf(block);
      if (twin === undefined) continue;
      const votes = [false, true].map((commit) => workshop.vote(commit, { ...twin.header, id: twin.id }));
      for (const to of workshop.others) {
        workshop.node.say(to, "chain", workshop.blockFrame(twin));
        workshop.tell(to, "urgent", workshop.votes(votes));
      }
    }
  },
});

/** Its blocks go to some only, or to nobody. */
export const withheldBlocks: LieMaker = (workshop) => {
  const deprived = workshop.dice.chance(0.3) ? new Set(workshop.others) : someOf(workshop);
  return {
    instead(lane, parts, to) {
      const sent = lane === "chain" && deprived.has(to) ? blockIn(parts) : undefined;
      return sent?.block.header.producer === workshop.key ? [] : [parts];
    },
  };
};

/** Blocks whose header says what execution does not give, or whose transactions are others. */
export const invalidBlocks: LieMaker = (workshop) => ({
  instead(lane, parts) {
    const sent = lane === "chain" ? blockIn(parts) : undefined;
    if (sent?.block.header.producer !== workshop.key || !workshop.dice.chance(0.3)) return [parts];
    const wrong = "5".repeat(64);
    const fields = workshop.dice.pick([
      { stateHash: wrong },
      { receiptRoot: wrong },
      { historyRoot: wrong },
      { configuration: wrong },
      { height: sent.block.header.height + 1 },
      { view: sent.block.header.view + 1 },
      { irreversibleHeight: sent.block.header.height - 1 },
      { time: 1 },
      { time: sent.block.header.time + 365 * 24 * 3_600_000 },
    ]);
    return [workshop.blockFrame(workshop.changed(sent.block, fields), sent.requested)];
  },
});

/** Children that no rule allows: after a closing block, not from the highest, without a handoff, of what is not proven. */
export const falseOpenings: LieMaker = (workshop) => {
  const forge = new FalseOpenings(workshop);
  return {
    stepped(input, effects) {
      forge.learn(input, effects);
      for (const node of produced(workshop, effects)) forge.besides(node);
    },
    tick: () => forge.outOfTurn(),
  } satisfies Lie;
};

/** Above all blocks. */
const FORGED_HEIGHT = 1_000_000;
type TimeoutReport = NonNullable<Decoded<typeof entryMessage>["timeout"]>["reports"][number];

/** Certificates that are kept for lies. */
const CERTIFICATES_MAX = 16;

class FalseOpenings {
  readonly #workshop: Workshop;
  /** Of prepares, by block. */
  readonly #prepared = new Map<string, Uint8Array>();
  readonly #committed = new Map<string, Uint8Array>();

  constructor(workshop: Workshop) {
    this.#workshop = workshop;
  }

  /** Certificates in what comes in and goes out. */
  learn(input: Input, effects: readonly Effect[]): void {
    if (input.kind === "received" && input.lane === "urgent") this.#learnFrom([input.frame]);
    for (const effect of effects) if (effect.kind === "send" && effect.lane === "urgent") this.#learnFrom(effect.parts);
  }

  /** Beside a block of its own: brothers that are not valid. */
  besides(node: BlockNode): void {
    const { block, parent } = node;
    if (parent === undefined) return;
    const { view } = block.header;
    this.#say(this.#unproven(node));
    if (parent.view === view) return;
    const opened = block.entry && entryMessage.decode(block.entry);
    const below = ancestorAt(parent, parent.height - 1);
    // Not from the highest: with the very same entry, further down [B2].
    if (below !== undefined) this.#say(this.#workshop.emptyChild(below, view, {}, { entry: block.entry }));
    if (opened?.ok !== true || opened.value.timeout === undefined) return;
    // The certificate of less than the greatest [B8].
    for (const [id, highest] of [...this.#prepared, [undefined, new Uint8Array(0)] as const]) {
      const at = id === undefined ? this.#workshop.ledger.bottom : this.#workshop.ledger.get(id);
      if (at === undefined || at.view >= view) continue;
      const { timeout } = opened.value;
      for (const reports of [timeout.reports, this.#outdone(timeout.reports, view, at.id)]) {
        const entry = entryMessage.encode({ timeout: { ...timeout, reports, highest } });
        this.#say(this.#workshop.emptyChild(at, view, {}, { entry }));
      }
    }
  }

  /** Its own report, which nobody but it has looked at, names this block with a place above all others'. */
  #outdone(reports: readonly TimeoutReport[], view: number, id: string): TimeoutReport[] {
    const workshop = this.#workshop;
    const signer = workshop.ledger.head.setsAfter.members.indexOf(workshop.key);
    const highQc = { view: view - 1, height: FORGED_HEIGHT, id };
    const signature = workshop.sign(viewChangeDigest(workshop.chainId, { view, highQc }));
    const others = reports.filter((each) => each.signer !== signer).slice(0, reports.length - 1);
    return [...others, { signer, highQc, signature }].sort((a, b) => a.signer - b.signer);
  }

  /** Without waiting for a reason. */
  outOfTurn(): void {
    const { ledger, dice } = this.#workshop;
    const { head } = ledger;
    // After a block that closes its own view [B1].
    if (head.block.header.closing && this.#workshop.leads(head.view))
      this.#say(this.#workshop.emptyChild(head, head.view));
    // A handoff that nobody made, of any certified block [B3]; and one of a block that is not certified.
    for (const [id, certificate] of this.#prepared) {
      const node = ledger.get(id);
      if (node === undefined || !this.#workshop.leads(node.view + 1) || !dice.chance(0.3)) continue;
      this.#say(this.#workshop.emptyChild(node, node.view + 1, {}, { entry: handoffEntry(certificate) }));
    }
    const [other] = this.#prepared.values();
    if (other !== undefined && this.#workshop.leads(head.view + 1) && dice.chance(0.3))
      this.#say(this.#workshop.emptyChild(head, head.view + 1, {}, { entry: handoffEntry(other) }));
  }

  /** Says that its parent is irreversible: without a proof, with that of another block, or with one of prepares [S9]. */
  #unproven({ block, parent }: BlockNode): Block | undefined {
    const { dice } = this.#workshop;
    if (parent === undefined || parent.height <= parent.block.header.irreversibleHeight) return undefined;
    const { entry, header } = block;
    const asCommits = this.#prepared.get(parent.id);
    const proof = dice.pick([
      undefined,
      [...this.#committed.values()].at(-1),
      asCommits && renamed(asCommits),
      asCommits,
    ]);
    return this.#workshop.emptyChild(parent, header.view, { irreversibleHeight: parent.height }, { entry, proof });
  }

  #say(block: Block | undefined): void {
    if (block === undefined) return;
    const votes = [false, true].map((commit) => this.#workshop.vote(commit, { ...block.header, id: block.id }));
    for (const to of this.#workshop.others) {
      this.#workshop.node.say(to, "chain", this.#workshop.blockFrame(block));
      this.#workshop.tell(to, "urgent", this.#workshop.votes(votes));
    }
  }

  #learnFrom(parts: Parts): void {
    const opened = decodeEnvelope(concatBytes(...parts));
    const decoded = opened && decodePayload(this.#workshop.chainId, opened.payload);
    if (decoded?.ok !== true) return;
    const { value } = decoded;
    if (value.kind === "certificate") this.#keep(value.bytes);
    else if (value.kind === "signed" && value.message.attachment.length > 0) this.#keep(value.message.attachment);
  }

  #keep(bytes: Uint8Array): void {
    const certificate = quorumCertificateMessage.decode(bytes);
    if (!certificate.ok) return;
    const { commit, header } = certificate.value;
    const kept = commit ? this.#committed : this.#prepared;
    kept.set(sha256Hex(header), bytes.slice());
    if (kept.size > CERTIFICATES_MAX) kept.delete(kept.keys().next().value as string);
  }
}

/** Prepares passed off as commits. */
function renamed(certificate: Uint8Array): Uint8Array | undefined {
  const decoded = quorumCertificateMessage.decode(certificate);
  return decoded.ok ? encodeQuorumCertificate(true, decoded.value.header, decoded.value.signatures) : undefined;
}
