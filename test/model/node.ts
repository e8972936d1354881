/**
 * One node of the search: the product's sync machine, best chain and ledger, with around them what a replica does.
 * It is deterministic, and does not know which of the two nodes it is.
 */
import { DuplicateWindow } from "../../chain/duplicateWindow.ts";
import type { BlockNode, InvalidReason } from "../../chain/forkDatabase.ts";
import { type AddOutcome, Ledger } from "../../chain/ledger.ts";
import { firstSets } from "../../chain/producerSets.ts";
import { State } from "../../chain/state.ts";
import type { Block } from "../../chain/block.ts";
import { Finality } from "../../consensus/finality.ts";
import type { Hello, SyncMessage } from "../../consensus/messages.ts";
import { BestChain, type BlockLog, type RawBlock } from "../../consensus/sync/bestChain.ts";
import type { Connection } from "../../consensus/sync/connection.ts";
import { HELLO_EVERY_MS, SEND_BUDGET_BYTES } from "../../consensus/sync/constants.ts";
import { type HelloGate, Sync, type SyncHost } from "../../consensus/sync/sync.ts";
import { LinkStates, PRUNE_SETTLES_MS } from "../../net/transport/linkStates.ts";
import { fromUtf8, utf8 } from "../../src/base/bytes.ts";
import type { Result } from "../../src/base/result.ts";
import { makeSetting, settle } from "../fixtures/memoryLedger.ts";
import { toyApplication } from "../fixtures/toyApplication.ts";
import { descends, GENESIS, GENESIS_BLOCK, type Universe, type UniverseBlock } from "./universe.ts";

/**
 * What goes over the link. Certificates, prunes and grafts travel on the urgent lane, everything else on the chain lane.
 * Numbers of hellos are relative, since only their order is looked at (decision 022): `seq` is 1 where the hello is newer than
 * the one before it on its lane, `echo` 1 where it echoes the newest hello of whoever receives it; else 0.
 */
export type Message =
  | SyncMessage
  | { readonly kind: "certificate"; readonly id: string }
  | { readonly kind: "prune"; readonly id: string }
  | { readonly kind: "graft" };

/** Kinds of messages that travel on the urgent lane. */
export const URGENT: ReadonlySet<Message["kind"]> = new Set(["certificate", "prune", "graft"] as const);

/** What may happen to a node. */
export type Input =
  | { readonly kind: "up" | "down" | "tick" | "drained" | "persisted" }
  /** `isHeld`: a hello that is beyond the peer's allowance. */
  | { readonly kind: "message"; readonly message: Message; readonly isHeld?: boolean }
  /** A block, or the certificate of one, comes from elsewhere. */
  | { readonly kind: "gain" | "learn"; readonly block: UniverseBlock };

/**
 * In place of the product's HelloAllowance, which counts: whether there is an allowance left when a hello comes is the world's choice.
 * Like it, what waits keeps all that comes later waiting, the newest takes the place of the one before, and time lets it pass.
 */
class ChosenGate implements HelloGate {
  readonly #now: () => number;
  #waiting: Hello | undefined;
  isExhausted = false;

  constructor(now: () => number) {
    this.#now = now;
  }

  get waiting(): Hello | undefined {
    return this.#waiting;
  }
  get deadline(): number {
    return this.#waiting === undefined ? Number.POSITIVE_INFINITY : this.#now() + HELLO_EVERY_MS;
  }

  admits(hello: Hello): "now" | "waits" {
    if (this.#waiting === undefined && !this.isExhausted) return "now";
    this.#waiting = hello;
    return "waits";
  }

  takeDue(): Hello | undefined {
    const due = this.#waiting;
    this.#waiting = undefined;
    return due;
  }
}

const PEER = "peer";
/** The link by which blocks come from elsewhere. */
const ELSEWHERE = "elsewhere";
/** Never written to: nothing is flushed here. */
const { database: DATABASE } = makeSetting(GENESIS);

export class ModelNode {
  readonly #universe: Universe;
  readonly #ledger = new Ledger(
    {
      application: toyApplication,
      engine: GENESIS.engine,
      limits: GENESIS.limits,
      state: new State(DATABASE, 0),
      duplicates: new DuplicateWindow(7),
    },
    { ...GENESIS_BLOCK, producerSets: firstSets(GENESIS.configuration) },
    () => undefined,
  );
  readonly #finality = new Finality(this.#ledger, undefined);
  readonly #chain = new BestChain(this.#ledger, this.#log());
  readonly #links = new LinkStates({
    now: () => this.#now,
    sendPrune: (to, id) => void (to === PEER && this.#outgoing.push({ kind: "prune", id })),
    sendGraft: (to) => void (to === PEER && this.#outgoing.push({ kind: "graft" })),
    changed: (peer) => void (peer === PEER && this.#sync.linkChanged(PEER)),
  });
  readonly #sync: Sync;
  #gate = new ChosenGate(() => this.#now);
  /** Bytes of a block to the send budget. */
  readonly #blockBytes: number;
  /** Irreversible blocks by height, as chain.db holds them. */
  readonly #stored: Block[] = [GENESIS_BLOCK.block];
  #now = 0;
  #headMoved = false;
  /** Irreversible pointers on their way to the disk, oldest first. */
  #persisting: BlockNode[] = [];
  #undrained = 0;
  #isStreamed = false;
  /** Absolute number of the newest hello sent. */
  #lastSeq = 0;
  /** Of this connection: blocks streamed to the peer, and blocks that it streamed, with their ancestors. */
  #sent = new Set<string>();
  #received = new Set<string>();
  #outgoing: Message[] = [];
  #faults: string[] = [];

  /** @param paced a block uses up the budget, so that the next leaves only when the link has taken it */
  constructor(universe: Universe, paced: boolean) {
    this.#universe = universe;
    this.#blockBytes = paced ? SEND_BUDGET_BYTES : 0;
    const host: SyncHost = {
      chain: this.#chain,
      links: this.#links,
      now: () => this.#now,
      sendHello: (_to, hello) => this.#sendHello(hello),
      sendBlock: (_to, block, requested) => this.#sendBlock(block, requested),
      sendBlockRequest: (_to, id) => void this.#outgoing.push({ kind: "blockRequest", id }),
      sendBlockAnnouncement: (_to, announced) => void this.#outgoing.push({ kind: "blockAnnouncement", announced }),
      adopt: ({ id }) => void this.#adopt(universe.of(id)),
      acceptBlock: (_from, block) => this.#accept(block),
      isKnown: (id) => this.#ledger.get(id) !== undefined || this.#ledger.isOrphan(id),
      lowestMissing: (orphan) => this.#ledger.lowestMissing(orphan),
      rootCertificate: () => this.#finality.shown,
      fault: (_peer, _what, detail) => void this.#faults.push(`a correct node is blamed: ${detail}`),
      finalityConflict: (_peer, detail) => void this.#faults.push(`a finality conflict is seen: ${detail}`),
    };
    this.#sync = new Sync(host, () => (this.#gate = new ChosenGate(() => this.#now)));
    this.#links.up(ELSEWHERE);
  }

  /** @returns what it sends, in order, and the rules that are broken by it */
  step(input: Input): { readonly outgoing: readonly Message[]; readonly faults: readonly string[] } {
    this.#outgoing = [];
    this.#faults = [];
    try {
      this.#handle(input);
      this.#settle();
    } catch (error) {
      this.#faults.push(`an exception: ${error instanceof Error ? error.message : String(error)}`);
    }
    return { outgoing: this.#outgoing, faults: this.#faults };
  }

  get head(): UniverseBlock {
    return this.#universe.of(this.#ledger.head.id);
  }
  get root(): UniverseBlock {
    return this.#universe.of(this.#ledger.root.id);
  }
  get phase(): string {
    return this.#connection?.phase ?? "off";
  }
  get isPersisting(): boolean {
    return this.#persisting.length > 0;
  }
  get hasUndrained(): boolean {
    return this.#undrained > 0;
  }
  /** Until its next timer, ms. */
  get waitMs(): number {
    return Math.max(0, this.#sync.deadline - this.#now);
  }
  /** A hello that is newer than all that were looked at waits. */
  get isHelloWaiting(): boolean {
    const { waiting } = this.#gate;
    return waiting !== undefined && waiting.seq > (this.#connection?.state.theirs?.seq ?? 0);
  }
  /** Blocks whose certificates would prove something new. */
  learnable(): UniverseBlock[] {
    return this.#universe.blocks.filter(({ block }) => this.#finality.isNews(block.header.height, block.id));
  }
  /** Blocks that may come from elsewhere: not here, their parents are. */
  gainable(): UniverseBlock[] {
    return this.#universe.blocks.filter(
      ({ block, parent }) =>
        parent !== undefined &&
        this.#ledger.get(block.id) === undefined &&
        this.#ledger.get(parent.block.id) !== undefined,
    );
  }

  get #connection(): Connection | undefined {
    return this.#sync.connections().get(PEER);
  }

  #handle(input: Input): void {
    switch (input.kind) {
      case "up":
        this.#sent = new Set();
        this.#received = new Set();
        this.#lastSeq = 0;
        this.#links.up(PEER);
        this.#sync.peerUp(PEER);
        if (this.#finality.newest !== undefined) this.#tellCertificate(this.#finality.newest.id);
        return;
      case "down":
        this.#gate = new ChosenGate(() => this.#now);
        this.#undrained = 0;
        this.#links.down(PEER);
        return this.#sync.peerDown(PEER);
      case "tick":
        this.#now = Math.max(this.#now, this.#sync.deadline);
        return this.#sync.tick();
      case "drained":
        this.#undrained -= this.#blockBytes;
        return this.#sync.drained(PEER, this.#blockBytes);
      case "persisted":
        return this.#promise(this.#persisting.shift() as BlockNode);
      case "message":
        this.#gate.isExhausted = input.isHeld === true;
        this.#receive(input.message);
        this.#gate.isExhausted = false;
        return;
      case "gain":
        this.#links.arrived(input.block.block.id, ELSEWHERE);
        return void this.#accept(input.block.block);
      case "learn":
        if (this.#adopt(input.block)) this.#tellCertificate(input.block.block.id);
        return;
    }
  }

  #receive(message: Message): void {
    if (message.kind === "prune") return this.#links.pruned(PEER);
    if (message.kind === "graft") return this.#links.grafted(PEER);
    if (message.kind === "certificate") return void this.#adopt(this.#universe.of(message.id));
    if (message.kind === "blockResponse" && !this.#sync.asked(message.block.id)) return;
    if (message.kind === "hello") return this.#receiveHello(message);
    this.#isStreamed = message.kind === "block";
    if (message.kind === "block") {
      for (let at: UniverseBlock | undefined = this.#universe.of(message.block.id); at !== undefined; at = at.parent)
        this.#received.add(at.block.id);
    }
    this.#sync.receive(PEER, message);
    this.#isStreamed = false;
  }

  #sendHello(hello: Hello): void {
    const seq = Number(hello.seq > this.#lastSeq);
    this.#lastSeq = hello.seq;
    // Whether that is the receiver's newest the world knows, which has all that is on its way.
    this.#outgoing.push({ kind: "hello", hello: { ...hello, seq, echo: 1 } });
  }

  #receiveHello(message: Extract<Message, { kind: "hello" }>): void {
    const { rootCertificate, echo: isEchoOfNewest } = message.hello;
    const certified = rootCertificate && this.#universe.of(fromUtf8(rootCertificate) ?? "").block;
    const isNews = certified !== undefined && this.#finality.isNews(certified.header.height, certified.id);
    const certificate = isNews
      ? {
          ...certified.header,
          id: certified.id,
          bytes: utf8(certified.id),
          header: certified.header,
          claims: [],
          isFinal: true,
        }
      : undefined;
    const before = this.#connection?.state;
    const seq = (this.#gate.waiting?.seq ?? before?.theirs?.seq ?? 0) + message.hello.seq;
    const echo = isEchoOfNewest === 1 ? (before?.mine?.seq ?? 0) : 0;
    this.#sync.receive(PEER, { kind: "hello", hello: { ...message.hello, seq, echo } }, certificate);
    if (certificate !== undefined && this.#finality.isNews(certificate.height, certificate.id))
      this.#faults.push(`compares before it has adopted the certificate of ${certified?.header.height} [H2]`);
    if (this.phase !== before?.phase && isEchoOfNewest !== 1)
      this.#faults.push(`takes the role ${this.phase} from a hello that does not echo its newest [H1]`);
  }

  /** As the replica does after every input. */
  #settle(): void {
    for (const event of settle(this.#ledger)) {
      if (event.kind === "head") this.#headMoved = true;
      else if (event.kind === "final") this.#persisting.push(event.nodes.at(-1) as BlockNode);
      else this.#faults.push(`block ${this.#universe.nameOf(event.node.id)} is not valid: ${event.reason.detail}`);
    }
    if (this.#headMoved) {
      this.#headMoved = false;
      this.#sync.headMoved();
    }
    this.#sync.pushOn();
  }

  #accept(block: Block): AddOutcome {
    const isLate = !descends(this.#universe.of(block.id), this.#universe.of(this.#ledger.bottom.id));
    const outcome = this.#ledger.add(block);
    // What was on its way while another branch became irreversible here is of no use any more, and nobody's fault.
    if (this.#isStreamed && !isLate && outcome.kind !== "added" && outcome.kind !== "known")
      this.#faults.push(`block ${this.#universe.nameOf(block.id)} arrives before its parent: ${outcome.kind}`);
    if (outcome.kind === "added") for (const node of outcome.nodes) this.#haltUnless(this.#finality.blockAdded(node));
    return outcome;
  }

  /** @returns whether it was news */
  #adopt({ block: { id, header } }: UniverseBlock): boolean {
    if (!this.#finality.isNews(header.height, id)) return false;
    const { height, historyRoot } = header;
    this.#haltUnless(this.#finality.adopt({ height, id, historyRoot, bytes: utf8(id) }));
    return true;
  }

  #haltUnless(outcome: Result<undefined, InvalidReason>): void {
    if (!outcome.ok) this.#faults.push(`a correct node halts: ${outcome.error.detail}`);
  }

  #promise(node: BlockNode): void {
    if (node.height <= this.#ledger.bottom.height) return;
    const nodes: BlockNode[] = [];
    for (let at = node; at !== this.#ledger.bottom; at = at.parent as BlockNode) nodes.push(at);
    this.#sync.beforeRelease(node);
    for (const each of nodes) this.#stored[each.height] = each.block;
    this.#ledger.release(node);
  }

  #tellCertificate(id: string): void {
    if (this.#connection !== undefined) this.#outgoing.push({ kind: "certificate", id });
  }

  #sendBlock({ id }: RawBlock, requested: boolean): number {
    const { block, name } = this.#universe.of(id);
    this.#outgoing.push({ kind: requested ? "blockResponse" : "block", block });
    this.#undrained += this.#blockBytes;
    if (requested) return this.#blockBytes;
    if (!this.#links.isActive(PEER)) this.#faults.push(`block ${name} is streamed over a backup link`);
    if (this.#sent.has(id)) this.#faults.push(`block ${name} is streamed twice over one connection`);
    if (this.#received.has(id)) this.#faults.push(`block ${name} is streamed back to where it came from [H3]`);
    this.#sent.add(id);
    return this.#blockBytes;
  }

  #log(): BlockLog {
    const rawAt = (height: number): RawBlock | undefined => {
      const block = this.#stored[height];
      return block && { ...block, height, view: block.header.view };
    };
    const heightOf = (id: string): number | undefined => {
      const height = this.#stored.findIndex((block) => block.id === id);
      return height === -1 ? undefined : height;
    };
    return {
      idAt: (height) => this.#stored[height]?.id,
      heightOf,
      blockAt: rawAt,
      changeProving: () => undefined,
      byId: (id) => rawAt(heightOf(id) ?? -1),
    };
  }

  /**
   * All that its behaviour depends on: nodes with one key are one state. Of times only what is left of them counts.
   */
  key(): string {
    const nameOf = (id?: string): string => this.#universe.nameOf(id);
    const ledger = this.#ledger;
    const held = this.#universe.blocks
      .filter(({ block }) => ledger.get(block.id) !== undefined || ledger.isOrphan(block.id))
      .map(({ name, block }) => (ledger.isOrphan(block.id) ? `${name}?` : name));
    const places = [ledger.head, ledger.root, ledger.bottom, ...this.#persisting].map(({ id }) => nameOf(id));
    const requests = [...this.#sync.pending()].map(
      ([id, { askedAt, tried }]) => `${nameOf(id)}@${askedAt - this.#now}/${tried.size}`,
    );
    const certificates = [this.#finality.newest?.bytes, this.#finality.shown];
    const parts = [
      held,
      places,
      certificates.map((bytes) => (bytes === undefined ? "-" : nameOf(fromUtf8(bytes)))),
      requests,
      [this.#undrained],
    ] as const;
    return [...parts.map((part) => part.join()), this.#connectionKey()].join(";");
  }

  #connectionKey(): string {
    const connection = this.#connection;
    if (connection === undefined) return "off";
    const universe = this.#universe;
    const state = connection.state;
    const { waiting } = this.#gate;
    // Of their hello nothing else is looked at later, and what was sent last is looked at outside of this machine only.
    const refs = [state.theirs?.head, state.theirs?.root, state.lastReceived, ...state.tips].map((ref) =>
      universe.nameOf(ref?.id),
    );
    const names = (ids: Set<string>): string =>
      [...ids]
        .map((id) => universe.nameOf(id))
        .sort()
        .join();
    return [
      state.phase,
      state.mine === undefined ? "-" : describeChain(universe, state.mine),
      waiting === undefined
        ? "-"
        : `${this.isHelloWaiting}${waiting.echo === state.mine?.seq}${describeChain(universe, waiting)}`,
      refs.join(),
      state.settledHeight ?? "-",
      state.budgetBytes,
      state.hasMore,
      universe.nameOf(state.announced),
      universe.nameOf(state.theirAnnounced?.id),
      universe.nameOf(state.missing?.id),
      connection.asks,
      this.#linksKey(),
      state.isPulled,
      connection.deadline - this.#now,
      names(this.#sent),
      names(this.#received),
    ].join(";");
  }

  /** Since when a prune was sent counts only while what was under way may still come. */
  #linksKey(): string {
    const states = [...this.#links.links()].map(
      ([, { state, prunedAt }]) => `${state}${Math.max(0, prunedAt + PRUNE_SETTLES_MS - this.#now)}`,
    );
    const firsts = this.#universe.blocks.map(({ block }) => this.#links.firstFrom(block.id)?.charAt(0) ?? "-");
    return [...states, ...firsts].join();
  }
}

/** What a hello says of its sender's chain. */
function describeChain(universe: Universe, { head, root, rootCertificate, locator }: Hello): string {
  const certified = rootCertificate === undefined ? "" : ` certified ${universe.nameOf(fromUtf8(rootCertificate))}`;
  const places = locator.map(({ id }) => universe.nameOf(id)).join(" ");
  return `head ${universe.nameOf(head.id)} root ${universe.nameOf(root.id)}${certified} locator ${places}`;
}

export function describeMessage(universe: Universe, message: Message): string {
  switch (message.kind) {
    case "hello":
      return `${message.hello.seq === 1 ? "new" : "repeated"} hello, echo of ${message.hello.echo === 1 ? "your newest" : "an older one"}, ${describeChain(universe, message.hello)}`;
    case "block":
    case "blockResponse":
      return `${message.kind} ${universe.nameOf(message.block.id)}`;
    case "blockAnnouncement":
      return `announcement of ${universe.nameOf(message.announced.id)}`;
    case "graft":
      return "graft";
    case "blockRequest":
    case "prune":
    case "certificate":
      return `${message.kind} ${universe.nameOf(message.id)}`;
  }
}
