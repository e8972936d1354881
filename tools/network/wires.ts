/**
 * Wires between network namespaces, and what is wrong with them. Where the kernel has netem it does the harm, on a pair of
 * veth devices. Elsewhere a wire is a pair of tun devices whose packets this process passes on: late, with a bit changed, or
 * not at all. Debian's socat reads and writes the devices for it.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";

export interface Disturbance {
  /** Each way. */
  readonly delayMs?: number;
  /** Of packets, each way. */
  readonly lossPercent?: number;
  /** Of packets, each way: a bit of them is changed. */
  readonly corruptPercent?: number;
}

export interface End {
  readonly namespace: string;
  readonly address: string;
}

export interface Wire {
  readonly ends: readonly [End, End];
  lay(): Promise<void>;
  /** From now on so, and not as before. */
  disturb(how: Disturbance): void;
  cut(state: "up" | "down"): void;
  /** Its devices go with their namespaces. */
  clear(): Promise<void>;
}

/** How wires can be laid here. */
export type Kind = "netem" | "socat";

/** @returns why not at all, where they cannot */
export function kindOfWires(): { readonly kind: Kind } | { readonly why: string } {
  if (process.getuid?.() !== 0) return { why: "not root" };
  const probe = `cairn-probe-${process.pid}`;
  try {
    ip("netns", "add", probe);
  } catch (error) {
    return { why: error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error) };
  }
  try {
    if (works("ip", "netns", "exec", probe, "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"))
      return { kind: "netem" };
    return works("socat", "-V") ? { kind: "socat" } : { why: "the kernel has no netem, and there is no socat" };
  } finally {
    ip("netns", "delete", probe);
  }
}

/** @param port of two that are free on loopback */
export function makeWire(kind: Kind, device: string, ends: readonly [End, End], port: number): Wire {
  return kind === "netem" ? new KernelWire(device, ends) : new PassedWire(device, ends, port);
}

class KernelWire implements Wire {
  readonly ends: readonly [End, End];
  readonly #device: string;

  constructor(device: string, ends: readonly [End, End]) {
    this.#device = device;
    this.ends = ends;
  }

  async lay(): Promise<void> {
    const [a, b] = this.ends;
    const names = ["name", this.#device, "netns"];
    ip("link", "add", ...names, a.namespace, "type", "veth", "peer", ...names, b.namespace);
    for (const end of this.ends) bringUp(end, this.#device);
  }

  disturb({ delayMs = 0, lossPercent = 0, corruptPercent = 0 }: Disturbance): void {
    const harm = ["delay", `${delayMs}ms`, "loss", `${lossPercent}%`, "corrupt", `${corruptPercent}%`];
    for (const { namespace } of this.ends)
      ip("netns", "exec", namespace, "tc", "qdisc", "replace", "dev", this.#device, "root", "netem", ...harm);
  }

  cut(state: "up" | "down"): void {
    for (const { namespace } of this.ends) ip("-n", namespace, "link", "set", this.#device, state);
  }

  async clear(): Promise<void> {}
}

/** Until a device is there that socat was started to make, ms. */
const DEVICE_MS = 5_000;

class PassedWire implements Wire {
  readonly ends: readonly [End, End];
  readonly #device: string;
  readonly #port: number;
  readonly #sockets: Socket[] = [];
  readonly #children: ChildProcess[] = [];
  #how: Required<Disturbance> = { delayMs: 0, lossPercent: 0, corruptPercent: 0 };
  #isCut = false;

  constructor(device: string, ends: readonly [End, End], port: number) {
    this.#device = device;
    this.ends = ends;
    this.#port = port;
  }

  async lay(): Promise<void> {
    for (const [side, end] of this.ends.entries()) {
      const socket = createSocket("udp4");
      this.#sockets.push(socket);
      socket.bind(0, "127.0.0.1");
      await once(socket, "listening");
      // A device is made here and given to its namespace: socat keeps hold of it.
      const name = `${this.#device}-${process.pid}-${side}`;
      const mine = `UDP4:127.0.0.1:${socket.address().port},bind=127.0.0.1:${this.#port + side}`;
      this.#children.push(spawn("socat", [`TUN,tun-name=${name},iff-no-pi`, mine], { stdio: "inherit" }));
      await moved(name, end.namespace, this.#device);
      bringUp(end, this.#device);
    }
    for (const [side, socket] of this.#sockets.entries())
      socket.on("message", (packet) => this.#pass(packet, 1 - side));
  }

  disturb({ delayMs = 0, lossPercent = 0, corruptPercent = 0 }: Disturbance): void {
    this.#how = { delayMs, lossPercent, corruptPercent };
  }

  /** Neither end is told. */
  cut(state: "up" | "down"): void {
    this.#isCut = state === "down";
  }

  async clear(): Promise<void> {
    for (const socket of this.#sockets.splice(0)) socket.close();
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill();
      await once(child, "exit");
    }
  }

  #pass(packet: Buffer, to: number): void {
    const { delayMs, lossPercent, corruptPercent } = this.#how;
    if (this.#isCut || isDrawn(lossPercent)) return;
    if (isDrawn(corruptPercent)) {
      const bit = Math.floor(8 * packet.length * Math.random());
      packet[bit >> 3] = (packet[bit >> 3] as number) ^ (1 << (bit & 7));
    }
    const send = (): void => this.#sockets[to]?.send(packet, this.#port + to, "127.0.0.1", () => undefined);
    if (delayMs === 0) send();
    else setTimeout(send, delayMs).unref();
  }
}

function isDrawn(percent: number): boolean {
  return Math.random() * 100 < percent;
}

function bringUp({ namespace, address }: End, device: string): void {
  ip("-n", namespace, "address", "add", `${address}/24`, "dev", device);
  ip("-n", namespace, "link", "set", device, "up");
}

async function moved(name: string, namespace: string, device: string): Promise<void> {
  for (const until = Date.now() + DEVICE_MS; ; await wait(20)) {
    if (works("ip", "link", "set", name, "netns", namespace, "name", device)) return;
    if (Date.now() > until) throw new Error(`socat made no device ${name} within ${DEVICE_MS} ms`);
  }
}

export function ip(...words: readonly string[]): void {
  execFileSync("ip", words, { stdio: "pipe" });
}

function works(command: string, ...words: readonly string[]): boolean {
  try {
    execFileSync(command, words, { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}
