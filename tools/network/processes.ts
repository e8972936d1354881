/**
 * A network of real node processes on loopback, for benchmarks, kill loops and end-to-end tests: made, started, killed,
 * restarted, stopped; nothing else is ever signalled than what was started here.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNetwork, type NetworkNode } from "../../src/node/network.ts";
import type { EngineName } from "../../chain/genesis.ts";
import type { NodeStatus } from "../../src/node/api.ts";
import { makeScratch, removeScratch } from "../scratch.ts";

export interface NetworkOptions {
  readonly dir: string;
  readonly producers: number;
  readonly followers: number;
  readonly basePort: number;
  /** Default raft. */
  readonly engine?: EngineName;
  /** Of the genesis, milliseconds since the epoch; a second ago when it is left out. */
  readonly time?: number;
}

/** The repository's root, from the sources as from `dist`. */
function findRoot(): string {
  let dir = fileURLToPath(new URL(".", import.meta.url));
  while (!existsSync(join(dir, "bin", "cairn.js"))) {
    const parent = join(dir, "..");
    if (parent === dir) throw new Error("bin/cairn.js not found above this file");
    dir = parent;
  }
  return dir;
}

export const CAIRN = join(findRoot(), "bin", "cairn.js");
/** A producer that lies in every way it knows. */
export const LIAR = join(findRoot(), "dist", "tools", "network", "hostileProducer.js");
/** A node that serves tampered ranges. */
export const HOSTILE = join(findRoot(), "dist", "tools", "network", "hostileSource.js");

/** A machine that is busy with other tests answers late; a node that is stuck never does. */
const STATUS_TIMEOUT_MS = 60_000;

/** Whoever started them and ends first, by an error or a signal that it listens to, takes them along. */
const started = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of started) child.kill("SIGKILL");
});

export class NodeProcess {
  readonly node: NetworkNode;
  #child: ChildProcess | undefined;
  #log: WriteStream | undefined;
  /** Standard error of the present or last run, newest part. */
  stderr = "";

  constructor(node: NetworkNode) {
    this.node = node;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }
  get pid(): number | undefined {
    return this.#child?.pid;
  }
  get url(): string {
    return this.node.url;
  }

  /** Resolves when the node serves; rejects with what it printed when it ends before. */
  async start(flags: readonly string[] = [], entry = CAIRN): Promise<void> {
    if (this.running) throw new Error(`${this.node.name} runs already`);
    this.stderr = "";
    this.#log = createWriteStream(`${this.node.dir}.log`, { flags: "a" });
    const child = spawn(process.execPath, [entry, "start", this.node.dir, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    started.add(child);
    child.once("exit", () => started.delete(child));
    child.stderr.on("data", (chunk: Buffer) => {
      this.#log?.write(chunk);
      this.stderr = (this.stderr + chunk.toString()).slice(-64 * 1024);
    });
    await new Promise<void>((resolve, reject) => {
      let stdout = "";
      child.stdout.on("data", (chunk: Buffer) => {
        stdout = (stdout + chunk.toString()).slice(-4096);
        if (stdout.includes("listening ")) resolve();
      });
      child.once("exit", (code, signal) => {
        reject(new Error(`${this.node.name} ended (${code ?? signal}) before it served:\n${this.stderr}`));
      });
    });
  }

  /** Sends a signal and waits for the end. @returns exit status, or the signal that ended it */
  async end(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<number | string | null> {
    const child = this.#child;
    if (child === undefined || !this.running) return null;
    const exited = once(child, "exit") as Promise<[number | null, string | null]>;
    child.kill(signal);
    const [code, by] = await exited;
    this.#log?.end();
    return code ?? by;
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(signal);
  }

  async status(): Promise<NodeStatus> {
    const response = await fetch(`${this.url}/v1/status`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
    return (await response.json()) as NodeStatus;
  }
}

export class NetworkProcesses {
  readonly nodes: readonly NodeProcess[];

  private constructor(nodes: readonly NodeProcess[]) {
    this.nodes = nodes;
  }

  /** Makes the directories; starts nothing. */
  static create({ dir, producers, followers, basePort, engine = "raft", time }: NetworkOptions): NetworkProcesses {
    const made = createNetwork(dir, {
      name: "test",
      engine,
      producers,
      followers,
      basePort,
      hosts: ["127.0.0.1"],
      time: time ?? Date.now() - 1_000,
    });
    if (!made.ok) throw new Error(made.error.messages.join("; "));
    return new NetworkProcesses(made.value.map((node) => new NodeProcess(node)));
  }

  async startAll(flags: readonly string[] = []): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start(flags)));
  }

  async endAll(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<(number | string | null)[]> {
    return Promise.all(this.nodes.map((node) => node.end(signal)));
  }

  /** The running node that leads, by its own word. */
  async leader(): Promise<NodeProcess | undefined> {
    for (const node of this.nodes) {
      if (!node.running) continue;
      const status = await node.status().catch(() => undefined);
      if (status?.consensus.status === "leader") return node;
    }
    return undefined;
  }

  async awaitLeader(timeoutMs = 60_000): Promise<NodeProcess> {
    return poll("a leader", timeoutMs, () => this.leader());
  }

  /** Waits until all running nodes have one head that is irreversible everywhere, and says its height and id. */
  async awaitEqual(timeoutMs = 90_000): Promise<{ readonly height: number; readonly id: string }> {
    return poll("equal chains", timeoutMs, async () => {
      const running = this.nodes.filter((node) => node.running);
      const statuses = await Promise.all(running.map((node) => node.status().catch(() => undefined)));
      const first = statuses[0];
      const equal = statuses.every(
        (status) =>
          status !== undefined && status.head.id === first?.head.id && status.irreversible.id === status.head.id,
      );
      return equal && first !== undefined ? { height: first.head.height, id: first.head.id } : undefined;
    });
  }
}

/** A network in a directory of its own, for as long as `work` takes; whatever comes of that, its nodes end and its files go. */
export async function withNetwork<T>(
  options: Omit<NetworkOptions, "dir">,
  work: (network: NetworkProcesses) => Promise<T>,
): Promise<T> {
  const dir = makeScratch("cairn-network-");
  try {
    const network = NetworkProcesses.create({ dir, ...options });
    try {
      return await work(network);
    } finally {
      await network.endAll("SIGKILL");
    }
  } finally {
    removeScratch(dir);
  }
}

/** Asks until there is an answer. The network's own time is real here: nothing tells when it is there. */
export async function poll<T>(what: string, timeoutMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > until) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
