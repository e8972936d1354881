/** One measurement of `cairn bench lanes`: a link between two processes, echoes on `urgent` while `bulk` is loaded. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type LinkEvents, LinkLayer, type PeerKey } from "../../../net/link/index.ts";
import { quantile, round } from "../statistics.ts";
import { initOf, seedOf } from "./identity.ts";
import type { Mode } from "./modes.ts";
import { type Pauses, pausesSchema, watchPauses } from "./pauses.ts";

const ECHO_BYTES = 200;
const ECHO_EVERY_MS = 1;
/** A frame of bulk, as a range of blocks is one. */
const BULK_FRAME_BYTES = 1024 * 1024;
const BULK_QUEUED_BYTES = 4 * 1024 * 1024;
/** Frames of limited bulk are small, so that the limit holds from one millisecond to the next. */
const LIMITED_FRAME_BYTES = 64 * 1024;
const WARM_UP_MS = 500;
const START_MS = 20_000;

export interface LanesRow {
  readonly echoes: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly bulkMegabytesPerSecond: number;
  readonly creditWaits: number;
  readonly sender: Pauses;
  readonly receiver: Pauses;
}

export async function measureLanes(mode: Mode, seconds: number, roundTripMs: number): Promise<LanesRow> {
  const children: ChildProcess[] = [];
  const station = await Station.start(mode);
  try {
    let port = station.port;
    if (roundTripMs > 0) port = Number(await started(children, ["proxy", `${port}`, `${roundTripMs / 2}`]));
    await started(children, ["echo", `127.0.0.1:${port}`, JSON.stringify(mode.limits)]);
    return await station.measure(seconds, roundTripMs);
  } finally {
    await station.stop();
    for (const child of children) child.stdin?.end();
    await Promise.all(children.map((child) => ended(child)));
  }
}

/** Starts another process and waits for its first line. */
async function started(children: ChildProcess[], argv: readonly string[]): Promise<string> {
  const own = import.meta.url.endsWith(".ts") ? "./peer.ts" : "./peer.js";
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(new URL(own, import.meta.url)), ...argv], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`the bench's ${argv[0]} process ended with ${code}`)));
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

class Station {
  readonly #mode: Mode;
  readonly #pauses = watchPauses();
  readonly #payload = new Uint8Array(BULK_FRAME_BYTES).fill(7);
  #links: LinkLayer | undefined;
  #peer: PeerKey | undefined;
  #queuedBytes = 0;
  #sentBytes = 0;
  #echoed: ((atMs: number) => void) | undefined;
  #told: ((text: string) => void) | undefined;
  #up: (() => void) | undefined;

  private constructor(mode: Mode) {
    this.#mode = mode;
  }

  static async start(mode: Mode): Promise<Station> {
    const station = new Station(mode);
    station.#links = await LinkLayer.start(
      {
        privateKeySeed: seedOf(1),
        listen: "127.0.0.1:0",
        init: () => initOf("source"),
        maxPeers: 4,
        log: () => {},
        limits: mode.limits,
      },
      station.#events(),
    );
    return station;
  }

  get port(): number {
    return Number(/tcp\/(\d+)/.exec(this.#layer.addresses[0] ?? "")?.[1]);
  }

  get #layer(): LinkLayer {
    if (this.#links === undefined) throw new Error("not started");
    return this.#links;
  }

  stop(): Promise<void> {
    return this.#layer.stop();
  }

  async measure(seconds: number, roundTripMs: number): Promise<LanesRow> {
    const peer = this.#peer ?? (await this.#linkUp());
    const stopBulk = this.#startBulk(peer);
    // A window needs some round trips to open.
    await this.#echoes(peer, WARM_UP_MS + 40 * roundTripMs);
    await this.#pausesThere(peer);
    this.#pauses.take();
    const waitsBefore = this.#layer.stats().lanes.bulk.creditWaits;
    this.#sentBytes = 0;
    const startedAt = performance.now();
    const samples = await this.#echoes(peer, seconds * 1000);
    const megabytes = this.#sentBytes / 1e6;
    const elapsedSeconds = (performance.now() - startedAt) / 1000;
    stopBulk();
    const creditWaits = this.#layer.stats().lanes.bulk.creditWaits - waitsBefore;
    return {
      echoes: samples.length,
      p50Ms: round(quantile(samples, 0.5), 3),
      p90Ms: round(quantile(samples, 0.9), 3),
      p99Ms: round(quantile(samples, 0.99), 3),
      bulkMegabytesPerSecond: round(megabytes / elapsedSeconds, 1),
      creditWaits,
      sender: this.#pauses.take(),
      receiver: await this.#pausesThere(peer),
    };
  }

  #linkUp(): Promise<PeerKey> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the bench's processes found no link")), START_MS);
      this.#up = () => {
        clearTimeout(timer);
        resolve(this.#peer as PeerKey);
      };
    });
  }

  #events(): LinkEvents {
    return {
      up: (peer) => {
        this.#peer = peer;
        this.#up?.();
      },
      down: (_peer, reason, detail) => {
        if (reason !== "shutdown") process.stderr.write(`the bench's link broke: ${reason} ${detail}\n`);
      },
      message: (_peer, lane, payload) => {
        if (lane === "urgent") this.#echoed?.(performance.now());
        else this.#told?.(Buffer.from(payload).toString());
      },
      drained: (peer, lane, bytes) => {
        if (lane !== "bulk") return;
        this.#queuedBytes -= bytes;
        this.#sentBytes += bytes;
        if (this.#mode.bulk === "full") this.#fill(peer);
      },
      refused: (_peer, reason, detail) => process.stderr.write(`refused: ${reason} ${detail}\n`),
    };
  }

  /** @returns what ends it */
  #startBulk(peer: PeerKey): () => void {
    const { bulk } = this.#mode;
    if (bulk === "none") return () => {};
    if (bulk === "full") {
      this.#fill(peer);
      return () => {};
    }
    let lastMs = performance.now();
    let owedBytes = 0;
    const timer = setInterval(() => {
      const nowMs = performance.now();
      owedBytes += (nowMs - lastMs) * bulk * 1000;
      lastMs = nowMs;
      while (owedBytes >= LIMITED_FRAME_BYTES && this.#queuedBytes < BULK_QUEUED_BYTES) {
        owedBytes -= LIMITED_FRAME_BYTES;
        this.#send(peer, this.#payload.subarray(0, LIMITED_FRAME_BYTES));
      }
    }, 1);
    return () => clearInterval(timer);
  }

  #fill(peer: PeerKey): void {
    while (this.#queuedBytes < BULK_QUEUED_BYTES) this.#send(peer, this.#payload);
  }

  #send(peer: PeerKey, payload: Uint8Array): void {
    this.#queuedBytes += payload.length;
    this.#layer.send(peer, "bulk", [payload]);
  }

  /** Round trips of echoes, one after the other, for so long. */
  async #echoes(peer: PeerKey, ms: number): Promise<number[]> {
    const samples: number[] = [];
    const message = new Uint8Array(ECHO_BYTES);
    for (const untilMs = performance.now() + ms; performance.now() < untilMs;) {
      const sentAtMs = performance.now();
      const atMs = await new Promise<number>((resolve) => {
        this.#echoed = resolve;
        this.#layer.send(peer, "urgent", [message]);
      });
      samples.push(atMs - sentAtMs);
      await new Promise((resolve) => setTimeout(resolve, ECHO_EVERY_MS));
    }
    return samples;
  }

  async #pausesThere(peer: PeerKey): Promise<Pauses> {
    const text = await new Promise<string>((resolve) => {
      this.#told = resolve;
      this.#layer.send(peer, "urgent", [new Uint8Array(0)]);
    });
    return pausesSchema.parse(JSON.parse(text));
  }
}
