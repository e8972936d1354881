/**
 * `npm run test:netns`: real node processes, each in a network namespace of its own (root, iproute2, `wires.ts`). Five producers in a
 * line of followers, so that no two producers share a network; then links with loss and delay, a bridge cut and mended, and
 * corruption. Commits go on or resume, and all chains are equal in the end.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import type { NodeStatus } from "../../src/node/api.ts";
import { createNetwork, type NetworkNode, nodePorts } from "../../src/node/network.ts";
import { runAsScript } from "../script.ts";
import { CAIRN, poll } from "./processes.ts";
import { ip, type Kind, kindOfWires, makeWire, type Wire } from "./wires.ts";

const run = promisify(execFile);
const PRODUCERS = 5;
const FOLLOWERS = 4;
/** The path is eight links long. */
const ELECTION_TIMEOUT_MS = 3_000;
/** Pings measure a disturbed link, and elections would be held, within this. */
const DISTURBED_MS = 20_000;
/** Above the first port: those that wires use on loopback. */
const WIRE_PORTS = 500;
/** From the cut of a bridge to commits on the greater side: pings run out, an election; long, for a busy machine. */
const RECOVERY_MS = 240_000;

class Line {
  readonly #prefix = `cairn${process.pid}`;
  /** Producers and followers in turn: P0 F5 P1 F6 P2 F7 P3 F8 P4. */
  readonly wires: readonly Wire[];
  /** The nodes at their ends. */
  readonly #ends: readonly (readonly [number, number])[];
  readonly #count: number;
  readonly #nodes: readonly NetworkNode[];
  readonly #basePort: number;
  readonly #children = new Map<number, ChildProcess>();

  constructor(dir: string, basePort: number, kind: Kind) {
    const made = createNetwork(dir, {
      name: "netns",
      engine: "raft",
      producers: PRODUCERS,
      followers: FOLLOWERS,
      basePort,
      hosts: ["127.0.0.1"],
      time: Date.now() - 1_000,
    });
    if (!made.ok) throw new Error(made.error.messages.join("; "));
    this.#nodes = made.value;
    this.#basePort = basePort;
    this.#count = PRODUCERS + FOLLOWERS;
    const order = Array.from({ length: this.#count }, (_, i) => (i % 2 === 0 ? i / 2 : PRODUCERS + (i - 1) / 2));
    this.#ends = order.slice(1).map((node, i) => [order[i] as number, node]);
    this.wires = this.#ends.map(([a, b], i) => {
      const ends = [
        { namespace: this.namespace(a), address: `10.77.${i}.1` },
        { namespace: this.namespace(b), address: `10.77.${i}.2` },
      ] as const;
      return makeWire(kind, `w${i}`, ends, basePort + WIRE_PORTS + 2 * i);
    });
  }

  namespace(node: number): string {
    return `${this.#prefix}-${node}`;
  }

  async lay(): Promise<void> {
    for (let node = 0; node < this.#count; node++) {
      ip("netns", "add", this.namespace(node));
      ip("-n", this.namespace(node), "link", "set", "lo", "up");
    }
    for (const wire of this.wires) await wire.lay();
  }

  async clear(): Promise<void> {
    for (const child of this.#children.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
    for (const wire of this.wires) await wire.clear();
    for (let node = 0; node < this.#count; node++) {
      try {
        ip("netns", "delete", this.namespace(node));
      } catch {
        // It was never made.
      }
    }
  }

  /** Each node dials its neighbours in the line and no one else is there. */
  async start(node: number): Promise<void> {
    const peers = this.wires.flatMap(({ ends }, i) =>
      [0, 1].flatMap((side) => {
        const nodes = this.#ends[i] as readonly [number, number];
        const port = nodePorts(this.#basePort, nodes[1 - side] as number).peers;
        return nodes[side] === node ? [`${ends[1 - side]?.address}:${port}`] : [];
      }),
    );
    const { dir } = this.#nodes[node] as NetworkNode;
    const log = createWriteStream(`${dir}.log`, { flags: "a" });
    const child = spawn("ip", ["netns", "exec", this.namespace(node), process.execPath, CAIRN, "start", dir], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        CAIRN_P2P_LISTEN: `0.0.0.0:${nodePorts(this.#basePort, node).peers}`,
        CAIRN_P2P_PEERS: peers.join(","),
        CAIRN_CONSENSUS_ELECTION_TIMEOUT_MS: String(ELECTION_TIMEOUT_MS),
      },
    });
    this.#children.set(node, child);
    child.stderr.pipe(log);
    await new Promise<void>((resolve, reject) => {
      child.stdout.on("data", (chunk: Buffer) => {
        if (chunk.toString().includes("listening ")) resolve();
      });
      child.once("exit", (code, signal) => reject(new Error(`node ${node} ended (${code ?? signal}): ${dir}.log`)));
    });
  }

  async cairn(node: number, ...words: readonly string[]): Promise<string> {
    const url = `http://127.0.0.1:${nodePorts(this.#basePort, node).http}`;
    const command = [process.execPath, CAIRN, ...words, "--url", url, "--json"];
    const { stdout } = await run("ip", ["netns", "exec", this.namespace(node), ...command]);
    return stdout;
  }

  async status(node: number): Promise<NodeStatus> {
    return JSON.parse(await this.cairn(node, "status")) as NodeStatus;
  }

  async view(): Promise<number> {
    return (await this.status(0)).consensus.view;
  }

  /** Which producer. */
  async leader(): Promise<number> {
    return poll("somebody leads", RECOVERY_MS, async () => {
      const { consensus } = await this.status(0);
      const at = this.#nodes.findIndex(({ key }) => key === consensus.leader);
      return at < 0 ? undefined : at;
    });
  }

  async roundTrips(node: number): Promise<string> {
    const peers = JSON.parse(await this.cairn(node, "peers")) as { peers: readonly { rttMs?: number }[] };
    return peers.peers.map(({ rttMs }) => `${rttMs?.toFixed(0)} ms`).join(", ");
  }

  /** Irreversible, told by that node; tried again while nobody leads. @returns ms */
  async commit(node: number, key: string, boundMs: number): Promise<number> {
    const began = Date.now();
    await poll(`node ${node} commits ${key}`, boundMs, () =>
      this.cairn(node, "kv", "put", key, "x", "--timeout", "10000").catch(() => undefined),
    );
    return Date.now() - began;
  }

  async awaitEqual(): Promise<number> {
    const nodes = Array.from({ length: this.#count }, (_, node) => node);
    return poll("equal chains", RECOVERY_MS, async () => {
      const statuses = await Promise.all(nodes.map((node) => this.status(node).catch(() => undefined)));
      const [first] = statuses;
      const isEqual = statuses.every(
        (status) =>
          status !== undefined && status.head.id === first?.head.id && status.irreversible.id === status.head.id,
      );
      return isEqual ? first?.head.height : undefined;
    });
  }
}

/** Throws when something does not come in time. */
export async function runNamespaces(basePort: number, kind: Kind, note: (text: string) => void): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "cairn-netns-"));
  const line = new Line(dir, basePort, kind);
  const everywhere = async (name: string, nodes: readonly number[], boundMs: number): Promise<void> => {
    const took: string[] = [];
    for (const node of nodes) took.push(`${node}: ${await line.commit(node, `${name}-${node}`, boundMs)} ms`);
    note(`${name}: commits at node ${took.join(", ")}`);
  };
  const ends = [0, 4, 6];
  let failed = true;
  try {
    await line.lay();
    await Promise.all(Array.from({ length: PRODUCERS + FOLLOWERS }, (_, node) => line.start(node)));
    note("five producers in a line of followers: no two producers share a network");
    await everywhere("line", ends, RECOVERY_MS);
    note(`equal chains at height ${await line.awaitEqual()}`);

    for (const wire of line.wires) wire.disturb({ delayMs: 50, lossPercent: 5 });
    const view = await line.view();
    await everywhere("loss", ends, RECOVERY_MS);
    await wait(DISTURBED_MS);
    await everywhere("loss, later", ends, RECOVERY_MS);
    note(`views ${view} to ${await line.view()}; round trips of node 1's links: ${await line.roundTrips(1)}`);
    for (const wire of line.wires) wire.disturb({});
    note(`5 % loss and 50 ms each way on every link: equal chains at height ${await line.awaitEqual()}`);

    // The leader is left with one producer beside it, or is in the middle, with the greater part.
    const leader = await line.leader();
    const bridge = line.wires[leader < 3 ? 3 : 4] as Wire;
    bridge.cut("down");
    note(`cut: producer ${leader} leads`);
    await everywhere("cut", [leader < 3 ? 4 : 0], RECOVERY_MS);
    bridge.cut("up");
    await everywhere("mended", ends, RECOVERY_MS);
    note(`a bridge cut and mended: equal chains at height ${await line.awaitEqual()}`);

    const noisy = line.wires[4] as Wire;
    noisy.disturb({ corruptPercent: 2 });
    await everywhere("corruption", ends, RECOVERY_MS);
    noisy.disturb({});
    note(`2 % of packets corrupted on a link: equal chains at height ${await line.awaitEqual()}`);
    failed = false;
  } finally {
    await line.clear();
    if (failed) note(`logs: ${dir}`);
    else rmSync(dir, { recursive: true, force: true });
  }
}

await runAsScript(import.meta.url, async () => {
  const found = kindOfWires();
  if ("kind" in found) await runNamespaces(Number(process.argv[2] ?? 25_000), found.kind, (text) => console.log(text));
  else console.log(`skipped: networks cannot be made here (${found.why})`);
});
