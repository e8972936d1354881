/**
 * One libp2p connection on its way to being a link, being one, and closing: lanes, frames, handshake, pings. It knows
 * nothing of other connections; which of several to one peer becomes the link is decided in `layer.ts`.
 *
 *   opening   lanes or an Init are missing
 *   complete  both have all lanes and a fitting Init; no verdict yet
 *   up        both said `ready`: data passes
 *   closing   our close frame is on its way; we wait for the other side to hang up
 *   closed    reported as ended
 *
 * Both sides send Init first thing on the urgent lane, and `ready` once they take data. The first data frame stands for
 * `ready` too, because lanes are not ordered against each other.
 */

import type { Connection, Stream } from "@libp2p/interface";
import { abortConnection } from "./abort.ts";
import { encodeCredit, encodePing, maxPayloadBytes, PACED_LANES, readCredit, readPing } from "./control.ts";
import { CreditGrants, CreditWindow } from "./credit.ts";
import { FRAME, FrameReader } from "./frame.ts";
import type { Fault, FrameType } from "./frame.ts";
import { encodeClose, encodeInit, readClose, readInit } from "./init.ts";
import { Outbox } from "./outbox.ts";
import { Pinger } from "./pinger.ts";
import { LANES, protocolOf } from "./types.ts";
import type {
  CloseReason,
  Init,
  Lane,
  LaneInfo,
  LinkDirection,
  LinkLimits,
  LinkOptions,
  PeerInfo,
  PeerKey,
  EndedBy,
} from "./types.ts";

export type Phase = "opening" | "complete" | "up" | "closing" | "closed";

export interface SessionEvents {
  /** Now `complete`: the owner accepts it, refuses it, or waits. */
  complete(session: Session): void;
  /** The other side said `ready`. */
  ready(session: Session): void;
  message(session: Session, lane: Lane, payload: Uint8Array): void;
  drained(session: Session, lane: Lane, bytes: number): void;
  /** Once, when no message can come any more. */
  ended(session: Session, wasUp: boolean, reason: CloseReason, detail: string, by: EndedBy): void;
}

export interface SessionOptions {
  readonly connection: Connection;
  readonly peer: PeerKey;
  readonly init: Init;
  readonly limits: LinkLimits;
  readonly supersedes: LinkOptions["supersedes"];
  readonly events: SessionEvents;
}

interface LaneState {
  readonly stream: Stream;
  readonly reader: FrameReader;
  readonly outbox: Outbox;
  /** Credit that the peer gives; undefined on `urgent`. */
  readonly window: CreditWindow | undefined;
  /** Credit that the peer is given. */
  readonly grants: CreditGrants | undefined;
  bytesIn: number;
  framesIn: number;
}

/** Bytes written at one go: a few milliseconds, then sockets are read again. */
const PUMP_BYTES = 512 * 1024;

export class Session {
  readonly peer: PeerKey;
  readonly direction: LinkDirection;
  readonly connection: Connection;
  readonly connectedAtMs = Date.now();
  /** Resolves when the connection is gone. */
  readonly gone: Promise<void>;
  phase: Phase = "opening";
  theirs: Init | undefined;
  /** Whether the other side said that it takes data. */
  theyAreReady = false;
  /** Whether we did. */
  weAreReady = false;
  readonly #init: Init;
  readonly #limits: LinkLimits;
  readonly #supersedes: LinkOptions["supersedes"];
  readonly #events: SessionEvents;
  readonly #lanes: Partial<Record<Lane, LaneState>> = {};
  readonly #pinger: Pinger;
  readonly #handshakeTimer: NodeJS.Timeout;
  #lingerTimer: NodeJS.Timeout | undefined;
  #pumpScheduled = false;

  constructor({ connection, peer, init, limits, supersedes, events }: SessionOptions) {
    this.connection = connection;
    this.peer = peer;
    this.direction = connection.direction;
    this.#init = init;
    this.#limits = limits;
    this.#supersedes = supersedes;
    this.#events = events;
    this.#pinger = new Pinger({
      intervalMs: limits.pingIntervalMs,
      timeoutsMs: limits.pingTimeoutsMs,
      send: (id) => {
        this.#endIfStuck();
        this.#control(FRAME.ping, encodePing(id));
      },
      onSilent: () =>
        this.end("pingTimeout", `"${this.theirs?.name}" did not answer ${limits.pingTimeoutsMs.length + 1} pings`),
    });
    this.#handshakeTimer = setTimeout(() => {
      this.end("handshakeTimeout", `no link within ${limits.handshakeTimeoutMs} ms`);
    }, limits.handshakeTimeoutMs);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gone = promise;
    connection.addEventListener("close", (event) => {
      clearTimeout(this.#lingerTimer);
      this.#ended("connectionLost", event.error?.message ?? "the connection closed", "network");
      resolve();
    });
  }

  /** The dialer opens the lanes, most urgent first: yamux serves streams in the order they were opened. */
  async openLanes(): Promise<void> {
    const signal = AbortSignal.timeout(this.#limits.handshakeTimeoutMs);
    try {
      await Promise.all(
        LANES.map(async (lane) => {
          this.addLane(lane, await this.connection.newStream(protocolOf(lane), { signal }));
        }),
      );
    } catch (error) {
      this.end("connectionLost", `cannot open the lanes: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Takes a lane that either side opened. A second stream of one lane is a fault of the peer. */
  addLane(lane: Lane, stream: Stream): void {
    if (this.#isOver() || this.#lanes[lane] !== undefined) {
      stream.abort(new Error(`lane ${lane} is not wanted`));
      return;
    }
    const state: LaneState = {
      stream,
      reader: new FrameReader(
        (type, payloadBytes) => this.#check(lane, type, payloadBytes),
        (type, payload) => this.#frame(lane, state, type, payload),
      ),
      outbox: new Outbox(this.#limits.queueBytes[lane], (payload) => this.#supersedes?.(lane, payload)),
      window: lane === "urgent" ? undefined : new CreditWindow(this.#limits.credit),
      grants: lane === "urgent" ? undefined : new CreditGrants(this.#limits.credit),
      bytesIn: 0,
      framesIn: 0,
    };
    this.#lanes[lane] = state;
    const broken = (): void => {
      const what = this.connection.status === "open" ? `the peer closed lane ${lane}` : "the connection closed";
      this.#ended("connectionLost", what, "network");
    };
    stream.addEventListener("close", broken);
    stream.addEventListener("remoteCloseWrite", broken);
    const writable = (): void => {
      if (state.outbox.queuedBytes > 0) this.#schedulePump();
    };
    stream.addEventListener("drain", writable);
    stream.addEventListener("idle", writable);
    stream.addEventListener("message", ({ data }) => this.#received(state, data));
    if (lane === "urgent") this.#control(FRAME.init, encodeInit(this.#init));
    this.#checkComplete();
  }

  /** Tells the other side that data is taken from now on; the link is up when both did. */
  sayReady(): void {
    if (this.phase !== "complete" || this.weAreReady) return;
    this.weAreReady = true;
    this.#control(FRAME.ready, new Uint8Array(0));
  }

  /** From `complete` to `up`: pings start, data passes. */
  goUp(): void {
    this.phase = "up";
    clearTimeout(this.#handshakeTimer);
    this.#pinger.start();
  }

  /** False when not up or the lane is at its cap. The parts must not change afterwards. */
  send(lane: Lane, parts: readonly Uint8Array[]): boolean {
    const state = this.#lanes[lane];
    if (this.phase !== "up" || state === undefined) return false;
    if (!state.outbox.add(FRAME.data, parts, true)) return false;
    if (lane === "urgent") this.#pinger.spoke();
    this.#schedulePump();
    return true;
  }

  /** Whether the peer shows life within `timeoutMs`. */
  answers(timeoutMs: number): Promise<boolean> {
    return this.#pinger.probe(timeoutMs);
  }

  /** Ends it from this side: the peer is told why, then the connection closes. */
  end(reason: CloseReason, detail: string): void {
    if (this.#isOver()) return;
    const urgent = this.#lanes.urgent;
    const canTell = urgent !== undefined && this.connection.status === "open";
    this.#ended(reason, detail, "us");
    if (!canTell) {
      abortConnection(this.connection, new Error(reason));
      return;
    }
    this.phase = "closing";
    for (const lane of LANES) this.#lanes[lane]?.outbox.clear();
    this.#control(FRAME.close, encodeClose(reason, detail));
    this.#pump();
    // Closing here at once could make the kernel reset the connection and lose the frame: the peer hangs up.
    this.#lingerTimer = setTimeout(
      () => abortConnection(this.connection, new Error(reason)),
      this.#limits.closeLingerMs,
    );
  }

  /** The other end of the TCP connection, as a multiaddr. */
  get address(): string {
    return this.connection.remoteAddr.toString().replace(/\/p2p\/[^/]+$/, "");
  }

  info(): Omit<PeerInfo, "origin"> | undefined {
    const { theirs } = this;
    if (theirs === undefined) return undefined;
    return {
      key: this.peer,
      init: theirs,
      direction: this.direction,
      address: this.address,
      rttMs: this.#pinger.rttMs,
      unansweredMs: this.#pinger.unansweredMs,
      connectedAtMs: this.connectedAtMs,
      lanes: { urgent: this.#laneInfo("urgent"), chain: this.#laneInfo("chain"), bulk: this.#laneInfo("bulk") },
    };
  }

  #laneInfo(lane: Lane): LaneInfo {
    const state = this.#lanes[lane];
    return {
      queuedBytes: state?.outbox.queuedBytes ?? 0,
      bytesIn: state?.bytesIn ?? 0,
      bytesOut: state?.outbox.bytesOut ?? 0,
      framesIn: state?.framesIn ?? 0,
      framesOut: state?.outbox.framesOut ?? 0,
      drops: state?.outbox.drops ?? 0,
      creditWaits: state?.window?.waits ?? 0,
    };
  }

  #isOver(): boolean {
    return this.phase === "closing" || this.phase === "closed";
  }

  // ---- reading

  #received(state: LaneState, data: Uint8Array | Iterable<Uint8Array>): void {
    if (this.phase === "closed") return;
    this.#pinger.heard();
    if (data instanceof Uint8Array) this.#read(state, data);
    else for (const piece of data) this.#read(state, piece);
    if (state.grants?.isDue === true) this.#schedulePump();
  }

  #read(state: LaneState, piece: Uint8Array): void {
    state.bytesIn += piece.length;
    const fault = state.grants?.read(piece.length) ?? state.reader.push(piece);
    if (fault !== undefined) this.end(fault.reason, fault.detail);
  }

  /** Judges a frame by its header: is this type allowed on this lane, now, at this length? */
  #check(lane: Lane, type: number, payloadBytes: number): Fault | undefined {
    const most = maxPayloadBytes(lane, type, this.#limits);
    if (most === undefined) return { reason: "undecodable", detail: `frame of type ${type} on lane ${lane}` };
    if (payloadBytes > most) {
      return { reason: "frameTooLarge", detail: `frame of ${payloadBytes} bytes on lane ${lane}, allowed are ${most}` };
    }
    if (this.phase === "closing") return undefined;
    const isFirst = this.theirs === undefined;
    if (type === FRAME.init && !isFirst) return { reason: "undecodable", detail: "a second Init" };
    if (type !== FRAME.init && type !== FRAME.close && isFirst) {
      return { reason: "undecodable", detail: `frame of type ${type} before Init` };
    }
    if (type === FRAME.data && !this.weAreReady) return { reason: "undecodable", detail: "data before the link is up" };
    return undefined;
  }

  #frame(lane: Lane, state: LaneState, type: FrameType, payload: Uint8Array): void {
    state.framesIn += 1;
    if (this.phase === "closing") {
      if (type === FRAME.close) this.#hangUp();
      return;
    }
    if (this.phase === "closed") return;
    switch (type) {
      case FRAME.data:
        this.#theyAreReady();
        // The owner may have ended it just now.
        if (this.#isUp()) this.#events.message(this, lane, payload);
        return;
      case FRAME.ping:
        this.#pingReceived(payload, (id) => this.#control(FRAME.pong, encodePing(id)));
        return;
      case FRAME.pong:
        this.#pingReceived(payload, (id) => this.#pinger.pong(id));
        return;
      case FRAME.credit:
        this.#creditReceived(payload);
        return;
      case FRAME.ready:
        this.#theyAreReady();
        return;
      case FRAME.init:
        this.#initReceived(payload);
        return;
      case FRAME.close:
        this.#closeReceived(payload);
    }
  }

  #isUp(): boolean {
    return this.phase === "up";
  }

  #pingReceived(payload: Uint8Array, then: (id: number) => void): void {
    const id = readPing(payload);
    if (id === undefined) this.end("undecodable", `ping of ${payload.length} bytes`);
    else then(id);
  }

  #creditReceived(payload: Uint8Array): void {
    const read = readCredit(payload);
    if (read === undefined) {
      this.end("undecodable", "malformed credit");
      return;
    }
    const fault = this.#lanes[read.lane]?.window?.granted(read.credit, performance.now());
    if (fault !== undefined) this.end(fault.reason, fault.detail);
    else this.#schedulePump();
  }

  /** A peer that answers pings and takes nothing would hold its place, and what is queued for it, for ever. */
  #endIfStuck(): void {
    for (const lane of PACED_LANES) {
      const waitedMs = this.#lanes[lane]?.window?.waitedMs(performance.now()) ?? 0;
      if (waitedMs > this.#limits.creditTimeoutMs) {
        this.end("overloaded", `no credit for lane ${lane} in ${Math.round(waitedMs)} ms`);
      }
    }
  }

  #initReceived(payload: Uint8Array): void {
    const read = readInit(payload, this.#init);
    if (!read.ok) {
      this.end(read.error.reason, read.error.detail);
      return;
    }
    this.theirs = read.value;
    this.#checkComplete();
  }

  #closeReceived(payload: Uint8Array): void {
    const read = readClose(payload);
    const { reason, detail } = read.ok ? read.value : read.error;
    this.#ended(reason, detail, "peer");
    this.#hangUp();
  }

  #theyAreReady(): void {
    if (this.theyAreReady) return;
    this.theyAreReady = true;
    if (this.phase === "complete") this.#events.ready(this);
  }

  #checkComplete(): void {
    if (this.phase !== "opening" || this.theirs === undefined) return;
    if (LANES.some((lane) => this.#lanes[lane] === undefined)) return;
    this.phase = "complete";
    this.#events.complete(this);
  }

  // ---- writing

  /** Control frames go on the urgent lane. At its cap they are dropped: a pong or ping more or less is no loss. */
  #control(type: FrameType, payload: Uint8Array): void {
    this.#lanes.urgent?.outbox.add(type, [payload], false);
    this.#schedulePump();
  }

  /** What is sent during one tick leaves in one write. */
  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    queueMicrotask(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  /** The peer learns what was read of its lanes. Where the urgent lane has no room, once it drained. */
  #giveCredit(): void {
    const urgent = this.#lanes.urgent;
    for (const lane of PACED_LANES) {
      const grants = this.#lanes[lane]?.grants;
      if (grants?.isDue !== true || urgent === undefined || !urgent.outbox.hasRoom) continue;
      urgent.outbox.add(FRAME.credit, [encodeCredit(lane, grants.take())], false);
    }
  }

  /**
   * Most urgent lane first; each until its stream is full or its credit used up. A full stream's `drain` and `idle`,
   * and the peer's credit, come back here.
   */
  #pump(): void {
    if (this.phase === "closed") return;
    if (this.phase === "up") this.#giveCredit();
    let budget = PUMP_BYTES;
    for (const lane of LANES) {
      const state = this.#lanes[lane];
      if (state === undefined) continue;
      while (state.outbox.queuedBytes > 0 && budget > 0 && !isFull(state.stream)) {
        const { window } = state;
        const nowMs = window === undefined ? 0 : performance.now();
        const room = window === undefined ? budget : window.room(state.outbox.queuedBytes, nowMs);
        const chunk = room > 0 ? state.outbox.next(room) : undefined;
        if (chunk === undefined) break;
        window?.sent(chunk.length, nowMs);
        budget -= chunk.length;
        if (!this.#write(state.stream, chunk)) return;
      }
      const drained = state.outbox.takeDrained();
      if (drained > 0 && this.#isUp()) this.#events.drained(this, lane, drained);
    }
    if (budget <= 0 && !this.#pumpScheduled) {
      this.#pumpScheduled = true;
      setImmediate(() => {
        this.#pumpScheduled = false;
        this.#pump();
      });
    }
  }

  #write(stream: Stream, chunk: Uint8Array): boolean {
    try {
      stream.send(chunk);
      return true;
    } catch (error) {
      // The stream closed under us; its own event may come later.
      this.#ended("connectionLost", error instanceof Error ? error.message : String(error), "network");
      return false;
    }
  }

  // ---- ending

  #ended(reason: CloseReason, detail: string, by: EndedBy): void {
    if (this.#isOver()) return;
    const wasUp = this.phase === "up";
    this.phase = "closed";
    clearTimeout(this.#handshakeTimer);
    this.#pinger.stop();
    if (by !== "us") for (const lane of LANES) this.#lanes[lane]?.reader.stop();
    this.#events.ended(this, wasUp, reason, detail, by);
    if (by === "network" && this.connection.status === "open") abortConnection(this.connection, new Error(detail));
  }

  /** The peer sent its close frame: nothing more to say. */
  #hangUp(): void {
    const signal = AbortSignal.timeout(this.#limits.closeLingerMs);
    this.connection.close({ signal }).catch((error: unknown) => {
      abortConnection(this.connection, error instanceof Error ? error : new Error(String(error)));
    });
  }
}

/**
 * When the connection drains, libp2p clears `writableNeedsDrain` of every stream, and sets it again in a later microtask
 * where the stream's window is used up; in between only the buffer says that the last chunk did not leave.
 */
function isFull(stream: Stream): boolean {
  return stream.writableNeedsDrain || stream.writeBufferLength > 0;
}
