/**
 * Would a change of the producer set leave nobody who decides? Judged by what one node sees: its producers' states and its
 * peers. Both sets decide until the change has ended, so both need a quorum that is up.
 */
import { makeConfiguration } from "../../../chain/configuration.ts";
import type { EngineName } from "../../../chain/genesis.ts";
import { approvalsNeeded, type ProducerEntry } from "../../../chain/producerChange.ts";
import type { EngineStatus } from "../../../consensus/engine.ts";
import type { Peers, Producers } from "../../client/answers.ts";
import { printable } from "./terminal.ts";

/** What a node sees of the network. */
export interface Sight {
  readonly engine: EngineName;
  readonly producers: Producers;
  readonly peers: Peers;
  /** Of the node that was asked. */
  readonly head: number;
  /** By key, of the nodes that were asked for themselves: only those know that they are recovering. */
  readonly ownWords: ReadonlyMap<string, EngineStatus>;
}

/** A producer that is further behind has to catch up first, and does not decide meanwhile. */
const BEHIND_BLOCKS = 1_000;

/** What speaks against the change, each in a sentence; empty: nothing. */
export function quorumFaults(next: readonly ProducerEntry[], sight: Sight): string[] {
  return [
    ...faultOf("of the set in force", sight.producers.producers, sight),
    ...faultOf("of the new set", next, sight),
  ];
}

function faultOf(which: string, set: readonly ProducerEntry[], sight: Sight): string[] {
  const configuration = makeConfiguration(set.map(({ key }) => key));
  const needed = approvalsNeeded({ engine: sight.engine, approval: "quorum", configuration });
  const missing = set.flatMap((each) => {
    const why = whyNotLive(each.key, sight);
    return why === undefined ? [] : [`${printable(each.name || each.key.slice(0, 12))} ${why}`];
  });
  const live = set.length - missing.length;
  if (live >= needed) return [];
  return [`${live} of ${set.length} producers ${which} are up, ${needed} must be: ${missing.join("; ")}`];
}

/** As far as the node can tell. */
function whyNotLive(key: string, { producers, peers, head, ownWords }: Sight): string | undefined {
  const own = ownWords.get(key);
  if (own === "recovering" || own === "halted") return `is ${own}, by its own word`;
  const state = producers.producers.find((each) => each.key === key)?.state;
  if (state === "self" || state === "active") return undefined;
  if (state !== undefined) return `is ${state}`;
  const peer = peers.peers.find((each) => each.key === key);
  if (peer === undefined) return "is no peer of this node";
  const behind = peer.height === undefined ? 0 : head - peer.height;
  return behind > BEHIND_BLOCKS ? `is ${behind} blocks behind` : undefined;
}
