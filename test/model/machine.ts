/**
 * A node as a machine of numbered states. What an input does to a state is found out once, with a real node, and looked
 * up from then on: the two nodes of a search, and all orders in which they meet the same inputs, share it. A real
 * node is brought into a state by playing the inputs that led there.
 */
import { describeMessage, type Input, type Message, ModelNode } from "./node.ts";
import type { Universe, UniverseBlock } from "./universe.ts";

/** What the search needs to know of a state of a node. */
export interface NodeState {
  readonly head: UniverseBlock;
  readonly root: UniverseBlock;
  readonly phase: string;
  readonly isPersisting: boolean;
  readonly hasUndrained: boolean;
  readonly isHelloWaiting: boolean;
  /** Until the next timer, ms. */
  readonly waitMs: number;
  readonly learnable: readonly UniverseBlock[];
  readonly gainable: readonly UniverseBlock[];
  /** The step that led here first. */
  readonly from: { readonly state: number; readonly input: Input } | undefined;
}

export interface Transition {
  readonly to: number;
  /** Numbers of messages. */
  readonly outgoing: readonly number[];
  readonly faults: readonly string[];
}

/** Real nodes kept at hand, each in its state, so that fewer inputs have to be played again. */
const LIVE_MAX = 20_000;

export class Machine {
  readonly universe: Universe;
  readonly #paced: boolean;
  readonly #states: NodeState[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #transitions: Map<string, Transition>[] = [];
  readonly #messages: Message[] = [];
  readonly #messageTexts: string[] = [];
  readonly #messageNumbers = new Map<string, number>();
  readonly #live = new Map<number, ModelNode>();
  readonly start: number;

  constructor(universe: Universe, paced: boolean) {
    this.universe = universe;
    this.#paced = paced;
    this.start = this.#intern(new ModelNode(universe, paced), undefined);
  }

  get size(): number {
    return this.#states.length;
  }
  state(number: number): NodeState {
    return this.#states[number] as NodeState;
  }
  message(number: number): Message {
    return this.#messages[number] as Message;
  }
  messageText(number: number): string {
    return this.#messageTexts[number] as string;
  }
  isNewHello(number: number): boolean {
    const message = this.message(number);
    return message.kind === "hello" && message.hello.seq === 1;
  }

  /** The same message once its receiver has sent a newer hello than it echoes. */
  outdated(number: number): number {
    const message = this.message(number);
    if (message.kind !== "hello" || message.hello.echo === 0) return number;
    return this.#numberOf({ kind: "hello", hello: { ...message.hello, echo: 0 } });
  }

  /** @param name of the input, one for each input */
  apply(state: number, name: string, input: Input): Transition {
    const known = this.#transitions[state] as Map<string, Transition>;
    const found = known.get(name);
    if (found !== undefined) return found;
    const node = this.#take(state);
    const { outgoing, faults } = node.step(input);
    const to = this.#intern(node, { state, input });
    const transition = { to, outgoing: outgoing.map((message) => this.#numberOf(message)), faults };
    known.set(name, transition);
    return transition;
  }

  receive(state: number, message: number, isHeld = false): Transition {
    const name = `${isHeld ? "h" : "m"}${message}`;
    return this.apply(state, name, { kind: "message", message: this.message(message), isHeld });
  }

  /** A real node in this state. */
  #take(state: number): ModelNode {
    const live = this.#live.get(state);
    if (live !== undefined) {
      this.#live.delete(state);
      return live;
    }
    const inputs: Input[] = [];
    for (let { from } = this.state(state); from !== undefined; { from } = this.state(from.state))
      inputs.push(from.input);
    const node = new ModelNode(this.universe, this.#paced);
    for (const input of inputs.reverse()) node.step(input);
    return node;
  }

  #intern(node: ModelNode, from: NodeState["from"]): number {
    const key = node.key();
    let number = this.#byKey.get(key);
    if (number === undefined) {
      number = this.#states.length;
      this.#byKey.set(key, number);
      const { head, root, phase, isPersisting, hasUndrained, isHelloWaiting, waitMs } = node;
      this.#states.push({
        head,
        root,
        phase,
        isPersisting,
        hasUndrained,
        isHelloWaiting,
        waitMs,
        learnable: node.learnable(),
        gainable: node.gainable(),
        from,
      });
      this.#transitions.push(new Map());
    }
    if (this.#live.size < LIVE_MAX) this.#live.set(number, node);
    return number;
  }

  #numberOf(message: Message): number {
    const text = describeMessage(this.universe, message);
    let number = this.#messageNumbers.get(text);
    if (number === undefined) {
      number = this.#messages.length;
      this.#messageNumbers.set(text, number);
      this.#messages.push(message);
      this.#messageTexts.push(text);
    }
    return number;
  }
}
