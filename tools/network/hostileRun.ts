/**
 * `npm run hostile-producer -- [SECONDS]`: four producers and a follower under BFT, one of the producers a liar that lies in
 * each of its ways for so many seconds. The others have to go on in every one of them, to hold one chain in the end, and to
 * name the liar by evidence, and nobody else.
 */
import { headerMessage } from "../../chain/header.ts";
import { ChainReader } from "../../src/node/storage/chainReader.ts";
import { LIE_NAMES } from "../sim/byzantine/producer.ts";
import { note, runAsScript, tellFaults } from "../script.ts";
import { accusationFaults, awaitNamed } from "./accusation.ts";
import { BATCH, endFaults, Load } from "./acknowledged.ts";
import { LIAR, type NodeProcess, poll, withNetwork } from "./processes.ts";

export interface HostileRunOptions {
  readonly basePort: number;
  /** Of each way of lying. */
  readonly seconds: number;
  readonly note: (text: string) => void;
}

export interface HostileRunReport {
  /** Transactions acknowledged while it lied in each way. */
  readonly acknowledged: Readonly<Record<string, number>>;
  readonly height: number;
  /** Views that the liar led: as many as have a block of it. */
  readonly liarsViews: number;
  /** What is wrong; empty: nothing. */
  readonly faults: readonly string[];
}

/** The liar leads the first view, */
const LIAR_INDEX = 1;
/** and again every fourth, for so many blocks: some seconds. */
const TENURE_BLOCKS = 50;
/** What it told as its lie last: `lies: twoBlocks`. */
const LIE = /lies: (\w+)(?![\s\S]*lies: )/;

export async function runHostile({ basePort, seconds, note }: HostileRunOptions): Promise<HostileRunReport> {
  return withNetwork({ engine: "bft", producers: 4, followers: 1, basePort }, async (network) => {
    const liar = network.nodes[LIAR_INDEX] as NodeProcess;
    const honest = network.nodes.filter((node) => node !== liar);
    const tenure = ["--set", `consensus.tenureBlocks=${TENURE_BLOCKS}`];
    const lying = ["--each", String(seconds), "--tenure", String(TENURE_BLOCKS)];
    await Promise.all([...honest.map((node) => node.start(tenure)), liar.start(lying, LIAR)]);
    const load = new Load(honest);
    const acknowledged: Record<string, number> = {};
    for (const name of LIE_NAMES) {
      await poll(`the lie ${name}`, (seconds + 30) * 1000, async () =>
        LIE.exec(liar.stderr)?.[1] === name ? true : undefined,
      );
      const before = load.acknowledged.size;
      await poll(`the end of ${name}`, (seconds + 30) * 1000, async () =>
        LIE.exec(liar.stderr)?.[1] === name ? undefined : true,
      );
      acknowledged[name] = load.acknowledged.size - before;
      note(`${name}: ${acknowledged[name]} acknowledged`);
    }
    // Without the liar the three that are left are a quorum.
    await awaitNamed(honest, liar.node.key);
    const accusations = await accusationFaults(honest, liar.node.key);
    await liar.end("SIGKILL");
    await load.someAcknowledged(BATCH);
    await load.stop();
    const { height } = await network.awaitEqual();
    const ended = await endFaults(honest, load.acknowledged);
    const liarsViews = viewsOf(liar.node.key, (honest[0] as NodeProcess).node.dir);
    const faults = [
      ...Object.entries(acknowledged).flatMap(([name, count]) =>
        count === 0 ? [`nothing was decided during ${name}`] : [],
      ),
      ...ended,
      ...accusations,
    ];
    return { acknowledged, height, liarsViews, faults };
  });
}

/** Views in the irreversible chain that a producer led. */
function viewsOf(producer: string, dir: string): number {
  const reader = ChainReader.open(dir);
  try {
    const views = new Set<number>();
    for (let height = 1; ; height++) {
      const stored = reader.byHeight(height);
      if (stored === undefined) return views.size;
      const header = headerMessage.decode(stored.header);
      if (header.ok && header.value.producer === producer) views.add(header.value.view);
    }
  } finally {
    reader.close();
  }
}

async function main(): Promise<number> {
  const seconds = Number(process.argv[2] ?? 10);
  const { acknowledged, height, liarsViews, faults } = await runHostile({ basePort: 28_500, seconds, note });
  const total = Object.values(acknowledged).reduce((sum, each) => sum + each, 0);
  process.stdout.write(
    `${LIE_NAMES.length} ways of lying, ${seconds} s each: ${total} acknowledged, height ${height}, ${liarsViews} views led by the liar\n`,
  );
  return tellFaults(faults);
}

await runAsScript(import.meta.url, main);
