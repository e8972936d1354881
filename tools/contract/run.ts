/**
 * `npm run contract`: the HTTP contract against real node processes, from outside. Requests are generated from the node's own
 * OpenAPI document, right ones and wrong ones, and every answer is held against it; then clients misbehave, and the
 * node must serve on.
 */
import { BATCH_BODY_BYTES, SINGLE_BODY_BYTES } from "../../src/node/http/limits.ts";
import { type NodeProcess, poll, withNetwork } from "../network/processes.ts";
import { note, runAsScript, tellFaults } from "../script.ts";
import { endlessBody, kernelBufferBytes, manyConnections, slowBody, type SlowEnd, slowHead } from "./abuse.ts";
import { type Bindings, type Case, casesOf } from "./cases.ts";
import { ContractDocument } from "./document.ts";
import { Exchange } from "./exchange.ts";
import { Judge } from "./judge.ts";
import { authorized, provoked, unauthorized } from "./provoked.ts";

export interface ContractOptions {
  readonly basePort: number;
  /** Also what takes a minute: slow bodies are cut off after that. */
  readonly slow: boolean;
  readonly note: (text: string) => void;
}

export interface ContractReport {
  readonly requests: number;
  /** What is wrong; empty: nothing. */
  readonly faults: readonly string[];
  /** Operations that never succeeded and documented errors that nothing led to. */
  readonly unseen: readonly string[];
}

const TOKEN = "secret";
const IN_FLIGHT = 16;
const CONNECTIONS = 1_000;

export async function runContract({ basePort, slow, note }: ContractOptions): Promise<ContractReport> {
  return withNetwork({ producers: 1, followers: 1, basePort }, async (network) => {
    const [open, guarded] = network.nodes as [NodeProcess, NodeProcess];
    await open.start();
    await guarded.start(["--set", `http.token=${TOKEN}`, "--set", "mempool.transactions=1"]);
    await network.awaitLeader();
    const contract = new ContractDocument(await (await fetch(`${open.url}/openapi.json`)).json());
    const judge = new Judge(contract);
    const ask = async (): Promise<void> => {
      await askAll(open, judge, casesOf(contract, await bindingsOf(open)));
      await askInTurn(open, judge, provoked(contract, open.node.key));
      await askInTurn(guarded, judge, unauthorized(contract));
      note(`${judge.answers} requests`);
    };
    const [abuseFaults] = await Promise.all([abuse(open, slow, note), ask()]);
    const ends = [await askWithoutLeader(open, guarded, judge, contract), await guarded.end("SIGTERM")];
    const faults = [...judge.faults, ...abuseFaults];
    faults.push(...ends.flatMap((end, i) => (end === 0 ? [] : [`node${i} ended with ${end}`])));
    return { requests: judge.answers, faults, unseen: judge.unseen() };
  });
}

/** A chain with a key on it, and where that is. */
async function bindingsOf({ url }: NodeProcess): Promise<Bindings> {
  const answer = await fetch(`${url}/v1/transactions?wait=irreversible`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ put: { key: "greeting", value: "hello" } }),
  });
  const { id, height } = (await answer.json()) as { id: string; height: number };
  const peer = "5".repeat(64); // nobody's, so that no link is lost
  return { id, ref: String(height), key: "greeting", from: String(height), peer };
}

async function askAll({ url }: NodeProcess, judge: Judge, cases: Iterator<Case>): Promise<void> {
  const exchange = new Exchange(url);
  const worker = async (): Promise<void> => {
    for (let next = cases.next(); next.done !== true; next = cases.next()) {
      judge.judge(next.value, await exchange.ask(next.value.request));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  exchange.close();
}

async function askInTurn({ url }: NodeProcess, judge: Judge, cases: Iterable<Case>): Promise<void> {
  const exchange = new Exchange(url);
  for (const each of cases) judge.judge(each, await exchange.ask(each.request));
  exchange.close();
}

/**
 * The only producer stops: what is submitted waits, then there is no room, then no leader.
 * @returns its exit status
 */
async function askWithoutLeader(
  leader: NodeProcess,
  follower: NodeProcess,
  judge: Judge,
  contract: ContractDocument,
): Promise<number | string | null> {
  const exchange = new Exchange(follower.url);
  const ask = async (query: string, expected: number): Promise<void> => {
    const each = authorized(contract, TOKEN, query, [expected]);
    // That a leader is gone is found out after some time.
    const answer = await poll(`a ${expected}`, 60_000, async () => {
      const got = await exchange.ask(each.request);
      return "broken" in got || got.status === expected ? got : undefined;
    });
    judge.judge(each, answer);
  };
  await ask("?wait=irreversible", 200);
  const end = await leader.end("SIGTERM");
  await ask("?wait=irreversible&timeout=10", 504);
  await ask("", 429);
  await ask("", 503);
  exchange.close();
  return end;
}

/** @returns what is wrong */
async function abuse(node: NodeProcess, slow: boolean, note: (text: string) => void): Promise<string[]> {
  const faults: string[] = [];
  const target = { url: node.url, authorization: "" };
  const expectCutOff = ({ text, afterMs }: SlowEnd, what: string, atMostMs: number): void => {
    note(`${what}: cut off after ${Math.round(afterMs)} ms`);
    if (!/^HTTP\/1\.1 408 [\s\S]*"REQUEST_TIMEOUT"/.test(text)) faults.push(`${what}: told ${JSON.stringify(text)}`);
    if (afterMs > atMostMs) faults.push(`${what}: cut off after ${afterMs} ms only`);
  };
  const slowOnes = [slowHead(target).then((end) => expectCutOff(end, "a slow head", 15_000))];
  if (slow) slowOnes.push(slowBody(target).then((end) => expectCutOff(end, "a slow body", 70_000)));

  const served = await manyConnections(target, CONNECTIONS);
  note(`${served} of ${CONNECTIONS} connections at once answered`);
  if (served !== CONNECTIONS) faults.push(`only ${served} of ${CONNECTIONS} connections were answered`);
  for (const [path, type, limit] of [
    ["/v1/transactions", "application/json", SINGLE_BODY_BYTES],
    ["/v1/transactions/batch", "application/x-ndjson", BATCH_BODY_BYTES],
  ] as const) {
    const { text, bytes } = await endlessBody(target, path, type);
    note(`an endless body at ${path}: ended after ${bytes >> 20} MiB`);
    // A reset may overtake the answer.
    if (text !== "" && !/^HTTP\/1\.1 413 [\s\S]*"BODY_TOO_LARGE"/.test(text))
      faults.push(`${path}, endless body: ${text}`);
    if (bytes > 2 * limit + kernelBufferBytes()) faults.push(`${path}: ${bytes} bytes of an endless body were taken`);
  }
  await Promise.all(slowOnes);
  const { status } = await fetch(`${node.url}/health/live`);
  if (status !== 200) faults.push(`afterwards /health/live answers ${status}`);
  return faults;
}

async function main(): Promise<number> {
  const { requests, faults, unseen } = await runContract({
    basePort: 28_900,
    slow: process.argv[2] !== "--quick",
    note,
  });
  process.stdout.write(
    `${requests} requests, ${faults.length} faults; never seen: ${unseen.join(", ") || "nothing"}\n`,
  );
  return tellFaults(faults);
}

await runAsScript(import.meta.url, main);
