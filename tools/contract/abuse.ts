/** Clients that are no use to anybody: too many, too slow, too large. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";

/** So much is without end here: far more than any kernel holds and any endpoint takes. */
const ENDLESS_BYTES = 256 * 1024 * 1024;

export interface Target {
  readonly url: string;
  /** Header lines for writing, each with its end. */
  readonly authorization: string;
}

async function dial({ url }: Target): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.on("error", () => undefined); // being cut off is what is expected
  return socket;
}

function answerOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
    socket.once("close", () => resolve(text));
  });
}

/** All connected before any asks. @returns how many were answered with 200 */
export async function manyConnections(target: Target, count: number): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: count }, () => dial(target)));
  const answers = sockets.map(answerOf);
  for (const socket of sockets) socket.write("GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  return (await Promise.all(answers)).filter((text) => text.startsWith("HTTP/1.1 200 ")).length;
}

/** Sends a head a byte a second. @returns what it was told, and after how many ms */
export function slowHead(target: Target): Promise<SlowEnd> {
  return drip(target, "GET /v1/status HTTP/1.1\r\n", "X-Padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

/** Sends a body a byte a second. */
export function slowBody(target: Target): Promise<SlowEnd> {
  const head = `POST /v1/transactions HTTP/1.1\r\nHost: x\r\n${target.authorization}Content-Type: application/json\r\n`;
  return drip(target, `${head}Content-Length: 1000\r\n\r\n`, " ".repeat(1000));
}

export interface SlowEnd {
  readonly text: string;
  readonly afterMs: number;
}

async function drip(target: Target, begin: string, rest: string): Promise<SlowEnd> {
  const socket = await dial(target);
  const startedAt = performance.now();
  const answer = answerOf(socket);
  socket.write(begin);
  let sent = 0;
  const timer = setInterval(() => socket.write(rest[sent++] ?? " "), 1_000);
  const text = await answer;
  clearInterval(timer);
  return { text, afterMs: performance.now() - startedAt };
}

/** The most that this machine's kernel holds of a connection, at its two ends: what is written and no process has read. */
export function kernelBufferBytes(): number {
  const maxOf = (name: string): number => Number(readFileSync(`/proc/sys/net/ipv4/${name}`, "utf8").split("\t")[2]);
  return maxOf("tcp_wmem") + maxOf("tcp_rmem");
}

/** A body without end. @returns the answer, empty when a reset overtook it, and how much was taken of it */
export async function endlessBody(
  target: Target,
  path: string,
  type: string,
): Promise<{ text: string; bytes: number }> {
  const socket = await dial(target);
  const answer = answerOf(socket);
  let isOver = false;
  void answer.then(() => (isOver = true));
  socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${target.authorization}Content-Type: ${type}\r\n`);
  socket.write("Transfer-Encoding: chunked\r\n\r\n");
  const chunk = `10000\r\n${" ".repeat(0x10000)}\r\n`;
  let bytes = 0;
  for (; !isOver && bytes < ENDLESS_BYTES; bytes += 0x10000) {
    if (!socket.write(chunk)) await Promise.race([once(socket, "drain").catch(() => undefined), answer]);
  }
  socket.destroy();
  return { text: await answer, bytes };
}
