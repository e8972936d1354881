/**
 * The link layer: one link a peer, over libp2p (docs/protocol.md, section 1; docs/decisions/010-link.md).
 *
 *     const links = await LinkLayer.start({ privateKeySeed, listen: "127.0.0.1:26600", init, maxPeers: 50, log }, events);
 *     links.setTarget("127.0.0.1:26610");
 *     links.send(peer, "urgent", [payload]);
 *
 * Of several connections between two nodes, the node with the smaller key (the decider) says which becomes the link, by
 * being the first to say `ready`; the other waits for it. It prefers the one that it dialed itself while both are in
 * the handshake, and keeps a link that lives. So both always agree, and nothing goes up that is about to be dropped.
 */

import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { abortConnection } from "./abort.ts";
import { dialable, keyOfPeerId, parseAddress } from "./address.ts";
import { Dialer } from "./dialer.ts";
import type { Target } from "./dialer.ts";
import { LinkError } from "./error.ts";
import { createHost, startHost } from "./host.ts";
import { encodeInit } from "./init.ts";
import { resolveLimits } from "./limits.ts";
import { Session } from "./session.ts";
import type { SessionEvents } from "./session.ts";
import { Counters } from "./stats.ts";
import { LANES, protocolOf } from "./types.ts";
import type {
  CloseReason,
  EndedBy,
  Lane,
  LinkEvents,
  LinkLimits,
  LinkOptions,
  LinkStats,
  PeerInfo,
  PeerKey,
} from "./types.ts";

export class LinkLayer {
  /** This node's identity. */
  readonly key: PeerKey;
  readonly #options: LinkOptions;
  readonly #limits: LinkLimits;
  readonly #events: LinkEvents;
  readonly #host: Libp2p;
  readonly #dialer: Dialer;
  readonly #counters = new Counters();
  readonly #stopping = new AbortController();
  /** Every open connection, by libp2p's connection id. */
  readonly #sessions = new Map<string, Session>();
  /** The session that is, or by this side's word will be, the link to a peer. */
  readonly #chosen = new Map<PeerKey, Session>();
  /** Sessions whose incumbent is being asked for a sign of life. */
  readonly #probing = new Set<Session>();
  readonly #targetOf = new Map<Session, Target>();
  readonly #off: Set<PeerKey>;
  /** Events of ends that are due. */
  #untold: (() => void)[] = [];
  #stopped: Promise<void> | undefined;

  /** Listens and waits for peers. Throws `BAD_ADDRESS`, `BAD_OPTIONS`, `LISTEN_FAILED`. */
  static async start(options: LinkOptions, events: LinkEvents): Promise<LinkLayer> {
    const limits = resolveLimits(options.limits);
    const listen = parseAddress(options.listen).text;
    try {
      encodeInit(options.init());
    } catch (cause) {
      throw new LinkError("BAD_OPTIONS", "this node's own Init breaks the bounds", { cause });
    }
    const { privateKeySeed, maxPeers } = options;
    const host = await createHost({ privateKeySeed, listen, maxPeers, limits });
    const layer = new LinkLayer(options, limits, events, host);
    await layer.#serve();
    await startHost(host, listen);
    return layer;
  }

  private constructor(options: LinkOptions, limits: LinkLimits, events: LinkEvents, host: Libp2p) {
    this.#options = options;
    this.#limits = limits;
    this.#events = events;
    this.#host = host;
    this.#off = new Set(options.off);
    const key = keyOfPeerId(host.peerId);
    if (key === undefined) throw new Error("an Ed25519 seed made another kind of key");
    this.key = key;
    this.#dialer = new Dialer({
      limits,
      log: options.log,
      random: options.random ?? Math.random,
      dial: (target, peer) => void this.#dial(target, peer),
      needless: (peer) => this.#off.has(peer) || this.#chosen.has(peer),
      full: () => this.#chosen.size >= options.maxPeers,
    });
  }

  /** Where this node listens, as multiaddrs with its peer id. */
  get addresses(): string[] {
    return this.#host.getMultiaddrs().map((address) => address.toString());
  }

  /**
   * Queues one message. False, and nothing queued, when there is no link or the lane is at its byte cap. The parts
   * are sent as they are, without a copy: they must not change afterwards. Throws `FRAME_TOO_LARGE` above the lane's
   * frame bound, which is a bug of the caller.
   */
  send(peer: PeerKey, lane: Lane, parts: readonly Uint8Array[]): boolean {
    let bytes = 0;
    for (const part of parts) bytes += part.length;
    if (bytes > this.#limits.frameBytes[lane]) {
      throw new LinkError(
        "FRAME_TOO_LARGE",
        `${bytes} bytes on lane ${lane}, at most ${this.#limits.frameBytes[lane]}`,
      );
    }
    const session = this.#chosen.get(peer);
    if (session?.phase !== "up") return false;
    const queued = session.send(lane, parts);
    if (!queued) this.#counters.sendsRefused[lane] += 1;
    return queued;
  }

  /** Closes the link to `peer`, if there is one, and tells it why. Its targets are dialed again later. */
  close(peer: PeerKey, reason: CloseReason, detail = ""): void {
    for (const session of this.#sessionsOf(peer)) session.end(reason, detail);
  }

  /**
   * Keeps a link to this address: dials now and again whenever the link is down. Throws `BAD_ADDRESS`,
   * `TOO_MANY_TARGETS`.
   */
  setTarget(address: string, peer?: PeerKey): void {
    const parsed = parseAddress(address);
    const expected = peer ?? parsed.peer;
    dialable(parsed.text, expected); // throws here rather than at every dial
    this.#dialer.set(parsed.text, expected);
  }

  /** As {@link setTarget}, of an address that others told; a configured one it leaves as it is. Throws `BAD_ADDRESS`. */
  learnTarget(address: string, peer: PeerKey): void {
    const { text } = parseAddress(address);
    dialable(text, peer);
    this.#dialer.learn(text, peer);
  }

  /** Its link, if up, stays up. Throws `BAD_ADDRESS`. */
  forgetTarget(address: string, peer: PeerKey): void {
    this.#dialer.forget(parseAddress(address).text, peer);
  }

  /** Its link, if up, stays up. */
  removeTarget(address: string): void {
    this.#dialer.remove(parseAddress(address).text);
  }

  /** Dials the peer's addresses now, whatever the past, if it has no link. */
  redial(peer: PeerKey): void {
    this.#dialer.retry(peer);
  }

  /** Switches links to a peer off (closes and refuses them) or on again, by an operator's hand; twice is once. */
  setOff(peer: PeerKey, off: boolean): void {
    if (this.#off.has(peer) === off) return;
    this.#options.log("info", `links are switched ${off ? "off" : "on"} by the operator`, { peer });
    if (off) {
      this.#off.add(peer);
      this.close(peer, "switchedOff", "switched off by the operator");
    } else {
      this.#off.delete(peer);
      this.#dialer.retry(peer);
    }
  }

  /** The links that are up. */
  peers(): PeerInfo[] {
    const infos: PeerInfo[] = [];
    for (const session of this.#chosen.values()) {
      const info = session.phase === "up" ? session.info() : undefined;
      if (info !== undefined) infos.push({ ...info, origin: this.#targetOf.get(session)?.origin });
    }
    return infos;
  }

  stats(): LinkStats {
    const live = this.peers();
    const handshakes = this.#sessions.size - live.length;
    return this.#counters.snapshot(live, { off: this.#off.size, handshakes, targets: this.#dialer.infos() });
  }

  /** Tells every peer, closes everything, stops listening. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    this.#dialer.stop();
    const sessions = [...this.#sessions.values()];
    for (const session of sessions) session.end("shutdown", "the node stops");
    await Promise.all(sessions.map((session) => session.gone));
    await this.#host.stop();
  }

  // ---- connections

  async #serve(): Promise<void> {
    this.#host.addEventListener("connection:open", ({ detail }) => {
      if (detail.direction === "inbound") this.#inbound(detail);
    });
    const options = { maxInboundStreams: 1, maxOutboundStreams: 1 };
    await Promise.all(
      LANES.map((lane) =>
        this.#host.handle(
          protocolOf(lane),
          (stream, connection) => this.#laneOpened(lane, stream, connection),
          options,
        ),
      ),
    );
  }

  #inbound(connection: Connection): void {
    if (this.#stopping.signal.aborted || this.#inboundHandshakes() >= this.#limits.maxHandshakes) {
      this.#counters.connectionsShed += 1;
      abortConnection(connection, new Error("too many connections in the handshake"));
      return;
    }
    this.#session(connection);
  }

  #inboundHandshakes(): number {
    let count = 0;
    for (const session of this.#sessions.values()) {
      if (session.direction === "inbound" && this.#chosen.get(session.peer) !== session) count += 1;
    }
    return count;
  }

  #laneOpened(lane: Lane, stream: Stream, connection: Connection): void {
    const session = this.#sessions.get(connection.id);
    if (session?.direction === "inbound") session.addLane(lane, stream);
    else stream.abort(new Error("the dialer opens the lanes"));
  }

  #session(connection: Connection): Session | undefined {
    const peer = keyOfPeerId(connection.remotePeer);
    if (peer === undefined || connection.status !== "open") {
      abortConnection(connection, new Error("closed, or not an Ed25519 identity"));
      return undefined;
    }
    const session = new Session({
      connection,
      peer,
      init: this.#options.init(),
      limits: this.#limits,
      supersedes: this.#options.supersedes,
      events: this.#sessionEvents,
    });
    this.#sessions.set(connection.id, session);
    void session.gone.then(() => this.#sessions.delete(connection.id));
    return session;
  }

  async #dial(target: Target, peer: PeerKey | undefined): Promise<void> {
    this.#counters.dials += 1;
    const timeout = AbortSignal.timeout(this.#limits.handshakeTimeoutMs);
    try {
      const signal = AbortSignal.any([timeout, this.#stopping.signal]);
      // `force`: a connection that exists already must not be handed out a second time.
      const connection = await this.#host.dial(dialable(target.address, peer), { signal, force: true });
      const session = this.#stopping.signal.aborted ? undefined : this.#session(connection);
      if (session === undefined) throw new Error("the connection closed at once");
      this.#targetOf.set(session, target);
      await session.openLanes();
    } catch (error) {
      this.#dialFailed(target, error);
    }
  }

  #dialFailed(target: Target, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#counters.dialFailures += 1;
    const why = error instanceof Error ? error.message : String(error);
    if (/dial self/i.test(why)) {
      const detail = `at ${target.address} answers this node's own key: it is this node, or the key was copied`;
      this.#refused(this.key, "selfLink", detail);
      this.#dialer.ended(target, "selfLink", detail);
      return;
    }
    this.#options.log("debug", "dial failed", { address: target.address, why });
    this.#dialer.ended(target, "connectionLost", why);
  }

  // ---- which connection becomes the link

  readonly #sessionEvents: SessionEvents = {
    complete: (session) => this.#judge(session),
    ready: (session) => this.#judge(session),
    message: (session, lane, payload) => this.#events.message(session.peer, lane, payload),
    drained: (session, lane, bytes) => this.#events.drained(session.peer, lane, bytes),
    ended: (session, wasUp, reason, detail, by) => this.#ended(session, wasUp, reason, detail, by),
  };

  /** Called whenever something about a complete session, or about its rivals, changed. */
  #judge(session: Session): void {
    if (session.phase !== "complete" || this.#probing.has(session)) return;
    const { peer } = session;
    const refusal = this.#refusal(session);
    if (refusal !== undefined) {
      session.end(refusal[0], refusal[1]);
      return;
    }
    const decides = this.key < peer;
    const incumbent = this.#chosen.get(peer);
    if (incumbent === session) {
      if (session.theyAreReady) this.#up(session);
    } else if (incumbent !== undefined && (decides || !sameProcess(session, incumbent))) {
      void this.#challenge(session, incumbent);
    } else if (decides ? !this.#isOutdone(session) : session.theyAreReady) {
      // Where the decider gave up the link that we still hold, it knows more than we do.
      incumbent?.end("connectionLost", "the peer replaced this connection");
      this.#chosen.set(peer, session);
      session.sayReady();
      if (session.theyAreReady) this.#up(session);
      for (const rival of this.#sessionsOf(peer)) if (rival !== session) this.#judge(rival);
    }
  }

  #refusal(session: Session): readonly [CloseReason, string] | undefined {
    if (this.#off.has(session.peer)) return ["switchedOff", "links to this peer are switched off"];
    if (!this.#chosen.has(session.peer) && this.#chosen.size >= this.#options.maxPeers) {
      return ["tooManyPeers", `"${this.#options.init().name}" has ${this.#options.maxPeers} links already`];
    }
    return undefined;
  }

  /** Both dialed: the connection that the decider, this node, dialed is preferred as long as it may still succeed. */
  #isOutdone(session: Session): boolean {
    if (session.direction === "outbound") return false;
    return this.#sessionsOf(session.peer).some((rival) => rival.direction === "outbound" && rival.phase === "opening");
  }

  /** A second connection of one key: the first stays if it lives, else the second takes its place. */
  async #challenge(session: Session, incumbent: Session): Promise<void> {
    this.#probing.add(session);
    const lives = await incumbent.answers(this.#limits.duplicateProbeMs);
    this.#probing.delete(session);
    if (session.phase !== "complete") return;
    const current = this.#chosen.get(session.peer) === incumbent;
    if (current && !lives) {
      incumbent.end("connectionLost", "no answer while the same peer connects again");
    } else if (current) {
      const { name } = this.#options.init();
      const fault: readonly [CloseReason, string] = sameProcess(session, incumbent)
        ? ["duplicateLink", "there is a link already"]
        : ["duplicateIdentity", `"${name}" has a link to another live process with this key: was it copied?`];
      session.end(...fault);
      return;
    }
    this.#judge(session);
  }

  #up(session: Session): void {
    this.#tellNow();
    session.goUp();
    this.#counters.linksOpened += 1;
    const target = this.#targetOf.get(session);
    if (target !== undefined) this.#dialer.linked(target, session.peer);
    const { theirs, peer, direction } = session;
    if (theirs === undefined) throw new Error("a link came up without an Init");
    this.#options.log("info", "link up", { peer, name: theirs.name, direction });
    this.#events.up(peer, theirs, { direction, address: session.address });
  }

  // ---- ends

  #ended(session: Session, wasUp: boolean, reason: CloseReason, detail: string, by: EndedBy): void {
    const { peer } = session;
    const wasChosen = this.#chosen.get(peer) === session;
    if (wasChosen) this.#chosen.delete(peer);
    if (wasUp) this.#down(session, reason, detail, by);
    else this.#refused(peer, reason, detail, by);
    const target = this.#targetOf.get(session);
    this.#targetOf.delete(session);
    // A rival that waited for this one may be judged again; a target of the peer may have to be dialed.
    queueMicrotask(() => {
      if (this.#stopping.signal.aborted) return;
      for (const rival of this.#sessionsOf(peer)) this.#judge(rival);
      if (target !== undefined) this.#dialer.ended(target, reason, detail, peer);
      if (wasChosen) this.#dialer.wanted(peer);
    });
  }

  #down(session: Session, reason: CloseReason, detail: string, by: EndedBy): void {
    const { peer } = session;
    const info = session.info();
    if (info !== undefined) this.#counters.retire(info);
    this.#counters.downs[reason] += 1;
    const level = reason === "shutdown" || reason === "connectionLost" ? "info" : "warn";
    this.#options.log(level, "link down", { peer, name: info?.init.name, reason, detail, by });
    this.#tellSoon(() => this.#events.down(peer, reason, detail));
  }

  /** Ends are told outside the call that may have caused them, but before anything that follows. */
  #tellSoon(tell: () => void): void {
    this.#untold.push(tell);
    if (this.#untold.length === 1) queueMicrotask(() => this.#tellNow());
  }

  #tellNow(): void {
    const untold = this.#untold;
    this.#untold = [];
    for (const tell of untold) tell();
  }

  #refused(peer: PeerKey | undefined, reason: CloseReason, detail: string, by: EndedBy = "us"): void {
    this.#counters.refused[reason] += 1;
    const level = reason === "duplicateLink" || reason === "connectionLost" || reason === "shutdown" ? "debug" : "warn";
    this.#options.log(level, "no link", { peer, reason, detail, by });
    this.#tellSoon(() => this.#events.refused(peer, reason, detail, by));
  }

  #sessionsOf(peer: PeerKey): Session[] {
    return [...this.#sessions.values()].filter((session) => session.peer === peer);
  }
}

function sameProcess(a: Session, b: Session): boolean {
  return a.theirs?.startNonce === b.theirs?.startNonce;
}
