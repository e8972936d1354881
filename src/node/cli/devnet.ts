/**
 * `cairn devnet`: a whole network on loopback, one process a node. It polls the nodes over HTTP, as anybody could, so a
 * node that died and was started again by hand is seen as well.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeStatus } from "../api.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { type DevnetNode, openDevnet } from "./devnetPlan.ts";
import { Load, loadText } from "./load.ts";
import { NodeProcess } from "./nodeProcess.ts";
import { wholeNumber } from "./numbers.ts";
import { colour, print, printError, shortId, table } from "./terminal.ts";

export interface DevnetFlags {
  readonly dir: string;
  readonly engine?: string;
  readonly producers?: string;
  readonly followers?: string;
  readonly basePort?: string;
  readonly load?: string;
}

const POLL_MS = 1_000;
/** Between two status lines where nobody looks at a terminal. */
const LINE_EVERY_POLLS = 5;
const STATUS_TIMEOUT_MS = 2_000;
/** Longer than a node gives itself. */
const STOP_LIMIT_MS = 20_000;
const LOAD_MAX = 1_000_000;

export async function devnetCommand(flags: DevnetFlags): Promise<ExitStatus> {
  const perSecond = flags.load === undefined ? 0 : wholeNumber("--load", flags.load, 1, LOAD_MAX);
  const { nodes, isNew } = openDevnet(flags);
  print(`${isNew ? "made" : "continuing"} ${flags.dir}: ${nodes.length} nodes; logs in ${flags.dir}/nodeI.log`);
  const ending = Promise.withResolvers<"signal">();
  const processes = nodes.map((node) => new NodeProcess(node));
  const onSignal = signalHandler(processes, () => ending.resolve("signal"));
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const failed = await Promise.race([allServe(processes), ending.promise]);
    if (failed !== undefined && failed !== "signal") throw startFailure(failed);
    if (failed === undefined) {
      print(`ready ${nodes[0]?.url}`);
      await watch(processes, perSecond, ending.promise);
    }
  } finally {
    await stopAll(processes);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
  return reportEnd(processes);
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The first signal stops cleanly; another one a second later kills. */
function signalHandler(processes: readonly NodeProcess[], end: () => void): () => void {
  let firstAt: number | undefined;
  return () => {
    if (firstAt !== undefined && Date.now() - firstAt > 1_000) for (const node of processes) node.signal("SIGKILL");
    firstAt ??= Date.now();
    end();
  };
}

/** Undefined when all serve; else the first that ended before. */
async function allServe(processes: readonly NodeProcess[]): Promise<NodeProcess | undefined> {
  return new Promise((resolve) => {
    let waiting = processes.length;
    for (const node of processes) {
      void node.serving.then((serves) => {
        if (!serves) resolve(node);
        else if (--waiting === 0) resolve(undefined);
      });
    }
  });
}

function startFailure(child: NodeProcess): CliError {
  const tail = child.logTail().replaceAll("cairn: ", "");
  return new CliError(
    EXIT.unreachable,
    `${child.node.name} did not start (${child.ending}); the devnet is stopped\n${tail}`,
  );
}

async function watch(processes: readonly NodeProcess[], perSecond: number, ending: Promise<"signal">): Promise<void> {
  const view = new View(processes.map(({ node }) => node));
  const load =
    perSecond === 0
      ? undefined
      : new Load(
          perSecond,
          processes.map(({ node }) => node.url),
        );
  const started = Date.now();
  let isEnding = false;
  void ending.then(() => (isEnding = true));
  for (const child of processes) {
    void child.exited.then((how) => {
      if (!isEnding) view.tell(`${child.node.name} ended (${how}); start it again with: cairn start ${child.node.dir}`);
    });
  }
  load?.start();
  try {
    while (!isEnding && processes.some((child) => child.ending === undefined)) {
      const statuses = await Promise.all(processes.map(({ node }) => statusOf(node.url)));
      if (isEnding) break;
      view.show(statuses, load && loadText(load.report(), (Date.now() - started) / 1000));
      await Promise.race([ending, sleep(POLL_MS)]);
    }
  } finally {
    load?.stop();
  }
  if (load !== undefined) view.tell(loadText(load.report(), (Date.now() - started) / 1000));
}

async function statusOf(url: string): Promise<NodeStatus | undefined> {
  try {
    const response = await fetch(`${url}/v1/status`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
    return response.status === 200 ? ((await response.json()) as NodeStatus) : undefined;
  } catch {
    return undefined; // shown as down
  }
}

/** A line that would wrap would be two, and the next table would be drawn one too low. */
function fitted(line: string): string {
  const columns = process.stdout.columns || 80;
  // eslint-disable-next-line no-control-regex
  const plain = line.replace(/\x1b\[\d+m/g, "");
  return plain.length < columns ? line : plain.slice(0, columns - 1);
}

/** A table that is drawn again in place on a terminal; a line now and then elsewhere. */
class View {
  readonly #nodes: readonly DevnetNode[];
  #drawnLines = 0;
  #polls = 0;

  constructor(nodes: readonly DevnetNode[]) {
    this.#nodes = nodes;
  }

  show(statuses: readonly (NodeStatus | undefined)[], load: string | undefined): void {
    if (process.stdout.isTTY) {
      this.#clear();
      const lines = [...this.#table(statuses).split("\n"), ...(load === undefined ? [] : [load])];
      print(lines.map(fitted).join("\n"));
      this.#drawnLines = lines.length;
    } else if (this.#polls++ % LINE_EVERY_POLLS === 0) {
      print([this.#line(statuses), ...(load === undefined ? [] : [load])].join("; "));
    }
  }

  /** A line that stays. */
  tell(text: string): void {
    this.#clear();
    printError(text);
  }

  #clear(): void {
    if (this.#drawnLines > 0) process.stdout.write(`\x1b[${this.#drawnLines}A\x1b[J`);
    this.#drawnLines = 0;
  }

  #table(statuses: readonly (NodeStatus | undefined)[]): string {
    const rows = this.#nodes.map(({ name, role, url }, index) => {
      const status = statuses[index];
      if (status === undefined) return [name, role, "down", "", "", "", "", "", url];
      const { consensus, head, irreversible, peers, mempool } = status;
      const { view } = consensus;
      const columns = [consensus.status, view, head.height, irreversible.height, peers, mempool.count].map(String);
      return [name, role, ...columns, url];
    });
    return table(["NODE", "ROLE", "STATUS", "VIEW", "HEAD", "IRREVERSIBLE", "PEERS", "MEMPOOL", "HTTP"], rows);
  }

  #line(statuses: readonly (NodeStatus | undefined)[]): string {
    const up = statuses.filter((status) => status !== undefined);
    const best = up.toSorted((a, b) => b.irreversible.height - a.irreversible.height)[0];
    if (best === undefined) return "no node answers";
    const { consensus, head, irreversible } = best;
    const leader = consensus.producers.find(({ key }) => key === consensus.leader)?.name;
    const who = leader ?? (consensus.leader === null ? "none" : shortId(consensus.leader));
    return `${up.length} of ${statuses.length} nodes; head ${head.height}, irreversible ${irreversible.height}, view ${consensus.view}, leader ${who}`;
  }
}

async function stopAll(processes: readonly NodeProcess[]): Promise<void> {
  for (const child of processes) child.signal("SIGTERM");
  const timer = setTimeout(() => {
    for (const child of processes) child.signal("SIGKILL");
  }, STOP_LIMIT_MS);
  await Promise.all(processes.map((child) => child.exited));
  clearTimeout(timer);
}

/** Nodes that died before were told of; those that could not be stopped cleanly are now. */
function reportEnd(processes: readonly NodeProcess[]): ExitStatus {
  if (processes.every(({ ending }) => ending === "exit status 0")) {
    print("stopped");
    return EXIT.ok;
  }
  for (const { node, ending } of processes) {
    if (ending !== "exit status 0") printError(colour("yellow", `${node.name} had ended with ${ending}`));
  }
  return EXIT.ok;
}
