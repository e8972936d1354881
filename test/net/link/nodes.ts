/** What the link tests share: nodes whose events can be awaited, raw libp2p clients, child processes. */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { noise } from "@chainsafe/libp2p-noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { encodeCredit } from "../../../net/link/control.ts";
import { CreditGrants } from "../../../net/link/credit.ts";
import { FRAME, FrameReader, HEADER_BYTES, writeHeader } from "../../../net/link/frame.ts";
import type { FrameType } from "../../../net/link/frame.ts";
import { encodeInit } from "../../../net/link/init.ts";
import { DEFAULT_LIMITS, LANES, LinkLayer } from "../../../net/link/index.ts";
import type { CloseReason, Init, Lane, LinkEvents, LinkLimits, LinkOptions, PeerKey } from "../../../net/link/index.ts";

export type Event =
  | { readonly kind: "up"; readonly peer: PeerKey; readonly init: Init }
  | { readonly kind: "down"; readonly peer: PeerKey; readonly reason: CloseReason; readonly detail: string }
  | { readonly kind: "message"; readonly peer: PeerKey; readonly lane: Lane; readonly payload: Uint8Array }
  | { readonly kind: "drained"; readonly peer: PeerKey; readonly lane: Lane; readonly bytes: number }
  | {
      readonly kind: "refused";
      readonly peer: PeerKey | undefined;
      readonly reason: CloseReason;
      readonly detail: string;
    };
type Of<Kind extends Event["kind"]> = Extract<Event, { kind: Kind }>;

/** Everything a node told, in order; past and future events can be awaited. */
export class Recorder {
  readonly all: Event[] = [];
  #waiting: (() => void)[] = [];

  readonly events: LinkEvents = {
    up: (peer, init) => this.#add({ kind: "up", peer, init }),
    down: (peer, reason, detail) => this.#add({ kind: "down", peer, reason, detail }),
    message: (peer, lane, payload) => this.#add({ kind: "message", peer, lane, payload: payload.slice() }),
    drained: (peer, lane, bytes) => this.#add({ kind: "drained", peer, lane, bytes }),
    refused: (peer, reason, detail) => this.#add({ kind: "refused", peer, reason, detail }),
  };

  of<Kind extends Event["kind"]>(kind: Kind): Of<Kind>[] {
    return this.all.filter((event): event is Of<Kind> => event.kind === kind);
  }

  /** The first event of a kind that fits, from the `skip`th of its kind on. */
  async first<Kind extends Event["kind"]>(
    kind: Kind,
    fits: (event: Of<Kind>) => boolean = () => true,
    skip = 0,
  ): Promise<Of<Kind>> {
    for (;;) {
      const found = this.of(kind).slice(skip).find(fits);
      if (found !== undefined) return found;
      await this.change();
    }
  }

  /** Resolves at the next event. */
  change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #add(event: Event): void {
    this.all.push(event);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

export interface Node {
  readonly links: LinkLayer;
  readonly seen: Recorder;
  /** `/ip4/127.0.0.1/tcp/PORT` */
  readonly address: string;
}

let nonces = 0;

export function initOf(over: Partial<Init> = {}): Init {
  nonces += 1;
  return {
    versionMajor: 1,
    versionMinor: 0,
    chainId: "c".repeat(64),
    features: [],
    name: "node",
    role: "producer",
    listenAddresses: [],
    firstHeight: 0,
    irreversibleHeight: 0,
    startNonce: nonces.toString(16).padStart(16, "0"),
    startedAt: 1,
    ...over,
  };
}

const running: (() => Promise<void>)[] = [];

/** Ends what the test started; call after each test. */
export async function stopAll(): Promise<void> {
  const stops = running.splice(0);
  await Promise.all(stops.map((stop) => stop()));
}

export interface NodeSettings {
  readonly seed: number;
  readonly init?: Partial<Init>;
  readonly limits?: Partial<LinkLimits>;
  readonly maxPeers?: number;
  readonly off?: readonly string[];
  readonly listen?: string;
  readonly log?: LinkOptions["log"];
}

export async function startNode({ seed, init, limits, maxPeers, off = [], listen, log }: NodeSettings): Promise<Node> {
  const seen = new Recorder();
  const own = initOf({ name: `node${seed}`, ...init });
  const options: LinkOptions = {
    privateKeySeed: new Uint8Array(32).fill(seed),
    listen: listen ?? "127.0.0.1:0",
    init: () => own,
    maxPeers: maxPeers ?? 20,
    off,
    log: log ?? (() => undefined),
    limits: { redialMinMs: 20, ...limits },
  };
  const links = await LinkLayer.start(options, seen.events);
  running.push(() => links.stop());
  return { links, seen, address: links.addresses[0]!.replace(/\/p2p\/.*/, "") };
}

/** Two nodes with one link, dialed by the first. */
export async function linkedPair(a: NodeSettings, b: NodeSettings): Promise<[Node, Node]> {
  const nodes = await Promise.all([startNode(a), startNode(b)]);
  nodes[0].links.setTarget(nodes[1].address);
  await Promise.all(nodes.map(({ seen }) => seen.first("up")));
  return nodes;
}

/** A libp2p host that speaks the lanes by hand. */
export class RawHost {
  readonly host: Libp2p;
  readonly address: string;
  /** Connections that came in, by libp2p's connection id. */
  readonly #accepted = new Map<string, RawClient>();
  #waiting: ((client: RawClient) => void)[] = [];

  private constructor(host: Libp2p) {
    this.host = host;
    this.address = host
      .getMultiaddrs()[0]!
      .toString()
      .replace(/\/p2p\/.*/, "");
  }

  static async start(seed: number): Promise<RawHost> {
    const host = await createLibp2p({
      privateKey: await generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(seed)),
      addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      // A fixed window, so that a test knows how much a paused client takes.
      streamMuxers: [yamux({ streamOptions: { initialStreamWindowSize: WINDOW, maxStreamWindowSize: WINDOW } })],
      connectionMonitor: { enabled: false },
    });
    const raw = new RawHost(host);
    running.push(async () => host.stop());
    host.addEventListener("connection:open", ({ detail }) => {
      if (detail.direction !== "inbound") return;
      const client = new RawClient(detail);
      raw.#accepted.set(detail.id, client);
      for (const resolve of raw.#waiting.splice(0)) resolve(client);
    });
    for (const lane of LANES) {
      await host.handle(`/cairn/1/${lane}`, (stream, { id }) => raw.#accepted.get(id)?.take(lane, stream));
    }
    return raw;
  }

  async dial(address: string): Promise<RawClient> {
    return new RawClient(await this.host.dial(multiaddr(address), { force: true }));
  }

  /** The next connection that comes in. */
  accept(): Promise<RawClient> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

const WINDOW = 256 * 1024;

/** One connection of a raw host: sends what it is told, keeps what comes, answers pings, gives credit. */
export class RawClient {
  readonly connection: Connection;
  readonly lanes: Partial<Record<Lane, Stream>> = {};
  readonly frames: { lane: Lane; type: FrameType; payload: Uint8Array }[] = [];
  /** Whether it says what it read of `chain` and `bulk`. */
  givesCredit = true;
  answersPings = true;
  readonly #grants = new Map<Lane, CreditGrants>();
  #waiting: (() => void)[] = [];

  constructor(connection: Connection) {
    this.connection = connection;
  }

  static async dial(seed: number, address: string): Promise<RawClient> {
    return (await RawHost.start(seed)).dial(address);
  }

  async open(lane: Lane): Promise<void> {
    this.take(lane, await this.connection.newStream(`/cairn/1/${lane}`));
  }

  async openAll(): Promise<void> {
    for (const lane of LANES) await this.open(lane);
  }

  take(lane: Lane, stream: Stream): void {
    this.lanes[lane] = stream;
    if (lane !== "urgent") this.#grants.set(lane, new CreditGrants(DEFAULT_LIMITS.credit));
    const reader = new FrameReader(
      () => undefined,
      (type, payload) => {
        this.frames.push({ lane, type, payload });
        if (type === FRAME.ping && this.answersPings) this.send("urgent", FRAME.pong, payload);
        for (const resolve of this.#waiting.splice(0)) resolve();
      },
    );
    stream.addEventListener("message", ({ data }) => {
      for (const piece of data instanceof Uint8Array ? [data] : data) reader.push(piece);
      const grants = this.#grants.get(lane);
      for (const piece of data instanceof Uint8Array ? [data] : data) grants?.read(piece.length);
      const canSay = this.givesCredit && this.lanes.urgent?.writeStatus === "writable";
      if (canSay && lane !== "urgent" && grants?.isDue === true) {
        this.send("urgent", FRAME.credit, encodeCredit(lane, grants.take()));
      }
    });
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Our part of the handshake on lanes that are open. */
  greet(init: Init = initOf({ name: "raw" })): void {
    this.send("urgent", FRAME.init, encodeInit(init));
    this.send("urgent", FRAME.ready, new Uint8Array(0));
  }

  /** The whole handshake; afterwards the node has a link to this client. */
  async link(init?: Init): Promise<void> {
    await this.openAll();
    this.greet(init);
    await this.frame(FRAME.ready);
  }

  send(lane: Lane, type: number, payload: Uint8Array, claimedBytes = payload.length): void {
    const frame = Buffer.alloc(HEADER_BYTES + payload.length);
    writeHeader(frame, type as FrameType, claimedBytes);
    frame.set(payload, HEADER_BYTES);
    this.lanes[lane]!.send(frame);
  }

  has(type: FrameType): boolean {
    return this.frames.some((frame) => frame.type === type);
  }

  async frame(type: FrameType): Promise<Uint8Array> {
    await this.until(() => this.has(type));
    return this.frames.find((frame) => frame.type === type)!.payload;
  }

  /** Waits for a lane or a frame that makes `done` true. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  closed(): Promise<void> {
    if (this.connection.status !== "open") return Promise.resolve();
    return new Promise((resolve) => this.connection.addEventListener("close", () => resolve(), { once: true }));
  }
}

/** A node in a process of its own, which can be killed and stopped. */
export async function startChild(
  seed: number,
  target: string,
  limits: Partial<LinkLimits> = {},
): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("./child.ts", import.meta.url));
  const child = spawn(process.execPath, [script, String(seed), target, JSON.stringify(limits)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  running.push(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve) => lines.once("line", () => resolve()));
  return child;
}
