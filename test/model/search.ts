/**
 * Two nodes and the link between them, in every order of everything that may happen. Breadth first, so that a
 * counterexample is as short as there is one.
 */
import { type Input, URGENT } from "./node.ts";
import { Machine, type NodeState, type Transition } from "./machine.ts";
import { onOneBranch, Universe, type Shape, type UniverseBlock } from "./universe.ts";

/** How often the world may interfere. Blocks come from elsewhere without bound: each once to each node. */
export interface Bounds {
  readonly connects: number;
  /** Blocks of which certificates come up, all on one branch. */
  readonly decisions: number;
  /** Timers that fire, on both nodes together, while messages are still under way. */
  readonly ticks: number;
  /** Hellos, on both nodes together, that come when their allowance is used up. */
  readonly holds: number;
  /** Within this, two nodes left alone must have the same head; messages take no time, ms. */
  readonly restMs: number;
  /** A block fills the send budget, so that anything may happen between two blocks of a stream. */
  readonly paced: boolean;
  /** States at most; a search that would go beyond them is cut off. */
  readonly maxStates: number;
}

export interface Counterexample {
  readonly rule: string;
  /** What happened, one line each. */
  readonly trace: readonly string[];
}

export interface Outcome {
  readonly universe: string;
  readonly states: number;
  readonly transitions: number;
  /** Actions from the start to the farthest state. */
  readonly depth: number;
  /** States of one node by itself. */
  readonly nodeStates: number;
  /** What the slowest state needs to come to rest with equal heads, ms. */
  readonly restMs: number;
  readonly isWhole: boolean;
  readonly counterexample: Counterexample | undefined;
}

/** Steps of one round at most: more, and the two talk for ever. */
const QUIET_STEPS_MAX = 500;

const LEFT = 0;
const RIGHT = 1;
type Side = typeof LEFT | typeof RIGHT;
const SIDES = [LEFT, RIGHT] as const;
const NAMES = ["A", "B"];

/** Lanes hold numbers of messages, oldest first; index: the sender. */
interface World {
  readonly nodes: readonly [number, number];
  readonly urgent: readonly [readonly number[], readonly number[]];
  readonly chain: readonly [readonly number[], readonly number[]];
  readonly isUp: boolean;
  /** Names of the blocks of which there are certificates, lowest first. */
  readonly decided: readonly UniverseBlock[];
  readonly connects: number;
  readonly ticks: number;
  readonly holds: number;
}

interface Step {
  readonly text: () => string;
  readonly world: World;
  readonly faults: readonly string[];
}

export class Search {
  readonly #universe: Universe;
  readonly #machine: Machine;
  readonly #bounds: Bounds;
  readonly #worlds: World[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #parents: number[] = [];
  readonly #depths: number[] = [];
  /** What a world needs to come to rest, ms, by its key without what the world may still do to it. */
  readonly #restMs = new Map<string, number>();
  #transitions = 0;
  #maxRestMs = 0;
  #counterexample: Counterexample | undefined;

  constructor(shape: Shape, bounds: Bounds) {
    this.#universe = new Universe(shape);
    this.#machine = new Machine(this.#universe, bounds.paced);
    this.#bounds = bounds;
  }

  /** @param progress is told now and then how many states were found, and how many of them are done */
  run(progress: (found: number, done: number) => void = () => undefined): Outcome {
    this.#add(this.#initial(), -1);
    let done = 0;
    for (; done < this.#worlds.length && this.#counterexample === undefined; done++) {
      if (done % 10_000 === 0) progress(this.#worlds.length, done);
      if (this.#worlds.length > this.#bounds.maxStates) break;
      this.#expand(done);
    }
    return {
      universe: this.#universe.name,
      states: this.#worlds.length,
      transitions: this.#transitions,
      depth: this.#depths.at(-1) as number,
      nodeStates: this.#machine.size,
      restMs: this.#maxRestMs,
      isWhole: done === this.#worlds.length,
      counterexample: this.#counterexample,
    };
  }

  #initial(): World {
    const { start } = this.#machine;
    const { connects, ticks, holds } = this.#bounds;
    const none = [[], []] as const;
    return { nodes: [start, start], urgent: none, chain: none, isUp: false, decided: [], connects, ticks, holds };
  }

  #expand(number: number): void {
    for (const step of this.#steps(this.#worlds[number] as World)) {
      this.#transitions++;
      if (step.faults.length > 0) return this.#fail(step.faults.join("; "), number, [step.text]);
      this.#add(step.world, number);
      if (this.#counterexample !== undefined) return;
    }
  }

  #add(world: World, parent: number): void {
    const key = canonicalKey(world);
    if (this.#numbers.has(key)) return;
    const number = this.#worlds.length;
    this.#numbers.set(key, number);
    this.#worlds.push(world);
    this.#parents.push(parent);
    this.#depths.push(parent < 0 ? 0 : (this.#depths[parent] as number) + 1);
    this.#comeToRest(number);
  }

  // What may happen

  *#steps(world: World): Generator<Step> {
    for (const side of SIDES) {
      yield* this.#deliveries(world, side);
      yield* this.#ownSteps(world, side);
      yield* this.#fromElsewhere(world, side);
      if (world.isUp && world.ticks > 0) yield this.#tick({ ...world, ticks: world.ticks - 1 }, side);
    }
    if (world.isUp) yield this.#disconnect(world);
    else if (world.connects > 0) yield this.#connect({ ...world, connects: world.connects - 1 });
  }

  *#deliveries(world: World, to: Side): Generator<Step> {
    const from = other(to);
    for (const lane of ["urgent", "chain"] as const) {
      const [message, ...rest] = world[lane][from];
      if (message === undefined) continue;
      const taken = { ...world, [lane]: replaced(world[lane], from, rest) };
      const transition = this.#machine.receive(world.nodes[to], message);
      yield this.#moved(taken, to, `receives ${this.#machine.messageText(message)}`, transition);
      if (world.holds === 0 || this.#machine.message(message).kind !== "hello") continue;
      const held = this.#machine.receive(world.nodes[to], message, true);
      yield this.#moved(
        { ...taken, holds: world.holds - 1 },
        to,
        `must wait with ${this.#machine.messageText(message)}`,
        held,
      );
    }
  }

  /** What a node's own disk and link do. */
  *#ownSteps(world: World, side: Side): Generator<Step> {
    const { isPersisting, hasUndrained } = this.#state(world, side);
    if (isPersisting) yield this.#input(world, side, { kind: "persisted" }, "has the irreversible block on disk");
    if (hasUndrained) yield this.#input(world, side, { kind: "drained" }, "is told that the link took a block");
  }

  *#fromElsewhere(world: World, side: Side): Generator<Step> {
    const { gainable, learnable } = this.#state(world, side);
    for (const block of gainable)
      yield this.#input(world, side, { kind: "gain", block }, `gains ${block.name}`, block.name);
    for (const block of learnable) {
      const isNew = !world.decided.includes(block);
      if (isNew && !this.#mayDecide(world, block)) continue;
      const decided = isNew ? [...world.decided, block] : world.decided;
      const text = `learns that ${block.name} is irreversible`;
      yield this.#input({ ...world, decided }, side, { kind: "learn", block }, text, block.name);
    }
  }

  #mayDecide(world: World, block: UniverseBlock): boolean {
    return world.decided.length < this.#bounds.decisions && world.decided.every((each) => onOneBranch(each, block));
  }

  #tick(world: World, side: Side): Step {
    return this.#input(world, side, { kind: "tick" }, "its timer fires");
  }

  #connect(world: World): Step {
    const up = this.#input({ ...world, isUp: true }, LEFT, { kind: "up" }, "");
    return { ...this.#input(up.world, RIGHT, { kind: "up" }, ""), text: () => "the link comes up" };
  }

  /** What was under way is lost; whatever else might have arrived before is a step of its own. */
  #disconnect(world: World): Step {
    const cut = { ...world, isUp: false, urgent: [[], []] as const, chain: [[], []] as const };
    const down = this.#input(cut, LEFT, { kind: "down" }, "");
    return { ...this.#input(down.world, RIGHT, { kind: "down" }, ""), text: () => "the link breaks" };
  }

  #input(world: World, side: Side, input: Input, text: string, detail = ""): Step {
    return this.#moved(world, side, text, this.#machine.apply(world.nodes[side], `${input.kind} ${detail}`, input));
  }

  #moved(world: World, side: Side, action: string, { to, outgoing, faults }: Transition): Step {
    const text = (): string => {
      const { head, root, phase } = this.#machine.state(to);
      const sent = outgoing.map((message) => `\n      sends ${this.#machine.messageText(message)}`);
      return `${NAMES[side]} ${action}: ${phase}, head ${head.name}, root ${root.name}${sent.join("")}`;
    };
    let { urgent, chain } = world;
    const { isHelloWaiting } = this.#machine.state(to);
    for (const message of outgoing) {
      if (URGENT.has(this.#machine.message(message).kind)) urgent = replaced(urgent, side, [...urgent[side], message]);
      else chain = this.#sent(chain, side, message, isHelloWaiting);
    }
    return { text, faults, world: { ...world, nodes: replaced(world.nodes, side, to), urgent, chain } };
  }

  /** A hello echoes the newest that was looked at; what waits or is on its way makes it an echo of an older one, at once or later. */
  #sent(chain: World["chain"], side: Side, message: number, isWaiting: boolean): World["chain"] {
    const machine = this.#machine;
    const theirs = chain[other(side)];
    const isOutdated = isWaiting || theirs.some((each) => machine.isNewHello(each));
    const sent = replaced(chain, side, [...chain[side], isOutdated ? machine.outdated(message) : message]);
    if (!machine.isNewHello(message)) return sent;
    return replaced(
      sent,
      other(side),
      theirs.map((each) => machine.outdated(each)),
    );
  }

  #state(world: World, side: Side): NodeState {
    return this.#machine.state(world.nodes[side]);
  }

  // What must follow when nothing more happens

  /** Leaves the two alone: everything is delivered, then the next timer fires, until both rest with the same head. */
  #comeToRest(number: number): void {
    const path: { key: string; waitMs: number }[] = [];
    const texts: (() => string)[] = [];
    let world: World = { ...(this.#worlds[number] as World), holds: 0 };
    let restMs = 0;
    let known: number | undefined;
    for (;;) {
      const key = quietKey(world);
      known = this.#restMs.get(key) ?? (this.#isAtRest(world) ? 0 : undefined);
      if (known !== undefined) break;
      const { waitMs, text, faults, world: next } = this.#quietStep(world);
      texts.push(text);
      path.push({ key, waitMs });
      if (faults.length > 0) return this.#fail(faults.join("; "), number, texts);
      restMs += waitMs;
      if (restMs > this.#bounds.restMs) return this.#fail(`${restMs} ms and the two still differ`, number, texts);
      if (texts.length > QUIET_STEPS_MAX) return this.#fail("the two talk for ever", number, texts.slice(0, 60));
      world = next;
    }
    for (const { key, waitMs } of path.reverse()) {
      known += waitMs;
      this.#restMs.set(key, known);
    }
    if (known > this.#bounds.restMs) return this.#fail(`${known} ms and the two still differ`, number, texts);
    this.#maxRestMs = Math.max(this.#maxRestMs, known);
  }

  /** What happens next when nothing interferes: messages are there at once, timers take their time. */
  #quietStep(world: World): Step & { readonly waitMs: number } {
    for (const step of this.#quietDeliveries(world)) return { ...step, waitMs: 0 };
    const [left, right] = SIDES.map((side) => this.#state(world, side).waitMs) as [number, number];
    return { ...this.#tick(world, left <= right ? LEFT : RIGHT), waitMs: Math.min(left, right) };
  }

  *#quietDeliveries(world: World): Generator<Step> {
    if (!world.isUp) yield this.#connect(world);
    for (const side of SIDES) {
      yield* this.#deliveries(world, side);
      yield* this.#ownSteps(world, side);
    }
  }

  #isAtRest(world: World): boolean {
    for (const _ of this.#quietDeliveries(world)) return false;
    const [left, right] = [this.#state(world, LEFT), this.#state(world, RIGHT)];
    return left.head === right.head && left.root === right.root && left.phase === "idle" && right.phase === "idle";
  }

  #fail(rule: string, number: number, last: readonly (() => string)[]): void {
    const trace: string[] = [];
    for (let at = number; at > 0; at = this.#parents[at] as number) trace.push(this.#actionBefore(at));
    const alone = last.length > 1 ? ["then they are left alone:"] : [];
    this.#counterexample ??= { rule, trace: [...trace.reverse(), ...alone, ...last.map((text) => text())] };
  }

  #actionBefore(number: number): string {
    const key = canonicalKey(this.#worlds[number] as World);
    for (const step of this.#steps(this.#worlds[this.#parents[number] as number] as World))
      if (canonicalKey(step.world) === key) return step.text();
    throw new Error("no step leads to this state");
  }
}

function other(side: Side): Side {
  return side === LEFT ? RIGHT : LEFT;
}

function replaced<T>(pair: readonly [T, T], side: Side, value: T): readonly [T, T] {
  return side === LEFT ? [value, pair[1]] : [pair[0], value];
}

/** The two are alike, so a world and its mirror image are one state. */
function canonicalKey(world: World): string {
  const { isUp, decided, connects, ticks, holds } = world;
  const names = decided.map(({ name }) => name).sort();
  return `${quietKey(world)}|${isUp ? 1 : 0},${connects},${ticks},${holds},${names.join()}`;
}

/** Without what the world may still do. */
function quietKey({ nodes, urgent, chain }: World): string {
  const left = `${nodes[0]}:${urgent[0].join()}:${chain[0].join()}`;
  const right = `${nodes[1]}:${urgent[1].join()}:${chain[1].join()}`;
  return left < right ? `${left}|${right}` : `${right}|${left}`;
}
