/** What every engine is asked, and the few words in which scenarios ask it. */
import { type EngineName } from "../../../chain/genesis.ts";
import { Stage, type StageOptions } from "../scenarios/stage.ts";

export interface Scenario {
  readonly name: string;
  /** What has to hold, whatever the engine. */
  readonly demand: string;
  /** Engines that are not asked, each with the reason. */
  readonly notFor?: Readonly<Partial<Record<EngineName, string>>>;
  /** Throws when it does not hold. */
  run(subject: Subject): void;
}

/** An engine as scenarios see it. */
export interface Subject {
  readonly engine: EngineName;
  /** Producers of which so many may fail. */
  readonly bearing: (failures: number) => number;
  /** Until the next leader has decided something, once a leader died and the kernel said so, virtual ms at most. */
  readonly nextLeaderMs: number;
  /** Until then where nobody is told, or who would be next is dead as well: for each that is dead. */
  readonly silentLeaderMs: number;
  /** Does a producer whose record was lost take part again by what the others tell? */
  readonly recoversRecord: boolean;
}

/** Every pair of nodes has dialed each other successfully, virtual ms. */
const LINKED_MS = 3_000;
/** Peers have been told of a crash that the kernel tells of, virtual ms. */
const TOLD_MS = 20;

/** Timeouts are the defaults: elections 600 to 1,200 ms, views 1,000 to 1,200 ms; forwards to all producers after 2,000 ms. */
export const SUBJECTS: readonly Subject[] = [
  {
    engine: "raft",
    bearing: (failures) => 2 * failures + 1,
    nextLeaderMs: 300,
    silentLeaderMs: 3_000,
    recoversRecord: false,
  },
  {
    engine: "vsr",
    bearing: (failures) => 2 * failures + 1,
    nextLeaderMs: 300,
    silentLeaderMs: 3_000,
    recoversRecord: true,
  },
  {
    engine: "bft",
    bearing: (failures) => 3 * failures + 1,
    nextLeaderMs: 4_000,
    silentLeaderMs: 6_000,
    recoversRecord: false,
  },
];

/** Does this engine have to pass this scenario? */
export function isAsked({ engine }: Subject, { notFor }: Scenario): boolean {
  return notFor?.[engine] === undefined;
}

/** All nodes are up, every pair is linked, and the first view has decided something. */
export function open({ engine, bearing }: Subject, failures: number, options: StageOptions = {}): Stage {
  const stage = Stage.open(bearing(failures), { engine, ...options });
  stage.until("all are linked", () => stage.simulation.network.isWhole(stage.simulation.nodes), LINKED_MS);
  stage.commit(stage.leader);
  stage.settle();
  return stage;
}

export function demand(holds: boolean, what: string): void {
  if (!holds) throw new Error(`does not hold: ${what}`);
}

export function viewOf(stage: Stage, index: number): number {
  return stage.status(index).engine.view;
}

/** Of those that are up. */
export function highestView(stage: Stage): number {
  return Math.max(...stage.up.map((index) => viewOf(stage, index)));
}

/** Whose turn a view is, where views go round. */
export function turnOf({ simulation }: Stage, view: number): number {
  const { producers } = simulation.genesis.configuration;
  return simulation.indexOf(producers[view % producers.length] as string);
}

/** A transaction that is submitted at a node, and decided within a bound. @returns virtual ms that it took */
export function decide(stage: Stage, at: number, boundMs: number): number {
  const [id] = stage.submit(at) as [string];
  return stage.until("a transaction is decided", () => stage.placeOf(id) !== undefined, boundMs);
}

/** They die, and who was linked with them has been told. */
export function crash(stage: Stage, ...victims: readonly number[]): void {
  for (const victim of victims) stage.crash(victim);
  stage.advance(TOLD_MS);
}

/** Whatever is submitted, nothing is decided for so long, virtual ms. @returns what was submitted */
export function demandStandstill(stage: Stage, forMs: number): string[] {
  const { finality } = stage.simulation.watch;
  stage.advance(200);
  const { height } = finality;
  const ids = stage.up.flatMap((index) => stage.submit(index));
  stage.advance(forMs);
  demand(finality.height === height, `nothing is decided: ${finality.height - height} blocks were`);
  return ids;
}

export function demandDecided(stage: Stage, ids: readonly string[]): void {
  const missing = ids.filter((id) => stage.placeOf(id) === undefined);
  demand(missing.length === 0, `no transaction is lost: ${missing.length} of ${ids.length} are`);
}
