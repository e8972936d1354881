/** Whether a network is at rest, and what must hold when it is. */
import type { EngineStatus } from "../../consensus/engine.ts";
import { assertSameState, modelState } from "./oracles/state.ts";
import type { SimulatedNode } from "./simulatedNode.ts";
import type { Simulation } from "./simulation.ts";
import { RuleBroken } from "./violation.ts";

/** Statuses of a producer under BFT that takes part and asks for nothing. */
const CALM: ReadonlySet<EngineStatus> = new Set(["leader", "follower"] as const);

/** Blocks that a light client asks each node for at the end of a run. */
const PROVEN_BLOCKS = 6;

/** Why not all nodes hold one chain, all of it irreversible, with nothing open; undefined: they do. */
export function whyNotConverged(
  simulation: Simulation,
  nodes: readonly SimulatedNode[] = simulation.nodes,
): string | undefined {
  const down = nodes.find((node) => !node.isUp);
  if (down !== undefined) return `node ${down.index} is down`;
  const paused = nodes.find((node) => node.pausedUntil > simulation.queue.now);
  if (paused !== undefined) return `node ${paused.index} is paused`;
  if (!simulation.network.isWhole(nodes)) return "a link is down";
  const [first] = nodes as readonly [SimulatedNode];
  const head = first.replica.ledger.head.id;
  for (const { index, replica } of nodes) {
    const { ledger } = replica;
    if (ledger.head.id !== head) return `heads differ: node ${index} at ${ledger.head.view}/${ledger.head.height}`;
    if (ledger.bottom.id !== head)
      return `node ${index}: head ${ledger.head.height}, irreversible ${ledger.bottom.height}`;
  }
  const why = simulation.engine === "bft" ? whyNotCalm(simulation, nodes) : whyNotLed(simulation, nodes);
  if (why !== undefined) return why;
  // The new set has to open a view yet, too.
  const { sets, setsAfter } = first.replica.ledger.head;
  const next = sets.next ?? setsAfter.next;
  if (next !== undefined) return `the change that block ${next.height} began has not ended`;
  const indices = new Set(nodes.map((node) => node.index));
  const open = simulation.workload.unresolved.find(({ node }) => indices.has(node));
  if (open !== undefined) return `node ${open.node} has not told what became of ${open.id}`;
  const reading = nodes.find(({ index }) => simulation.watch.reads.openAt(index) > 0);
  if (reading !== undefined) return `node ${reading.index} has not answered a read`;
  for (const { index, replica } of nodes) {
    const stuck = replica
      .status()
      .peers.find((peer) => peer.phase !== "idle" && indices.has(simulation.indexOf(peer.peer)));
    if (stuck !== undefined) return `node ${index} is ${stuck.phase} with node ${simulation.indexOf(stuck.peer)}`;
  }
  return undefined;
}

function whyNotLed(simulation: Simulation, nodes: readonly SimulatedNode[]): string | undefined {
  const leader = simulation.leader(nodes);
  if (leader === undefined) return "nobody leads";
  const { view } = simulation.node(leader).replica.status().engine;
  if (simulation.node(leader).replica.ledger.head.view !== view) return `node ${leader} has not opened view ${view}`;
  const { mempool, ledger: led } = simulation.node(leader).replica;
  // Also what a node that stays away has forwarded: the leader knows of it, and still makes a block.
  if (mempool.pendingCount > 0 || mempool.needsBlockAfter(led.head.block.header.time))
    return `node ${leader} has transactions for another block`;
  return undefined;
}

/** Under BFT a dead leader is nobody's concern while there is nothing to decide. */
function whyNotCalm(simulation: Simulation, nodes: readonly SimulatedNode[]): string | undefined {
  // One cut-off producer may ask for another view; more than f make a view change.
  const asking = nodes.filter(({ replica }) => replica.status().engine.status === "candidate");
  const bearable = simulation.bears((nodes[0] as SimulatedNode).replica.ledger.head.setsAfter.current.producers.length);
  if (asking.length > bearable) return "a view change is under way";
  // All others that take part are in one view.
  const calm = nodes.filter(({ isProducer, replica }) => isProducer && CALM.has(replica.status().engine.status));
  const views = calm.map(({ replica }) => replica.status().engine.view);
  if (new Set(views).size > 1) return `views differ: ${views.join(", ")}`;
  // Followers keep what was forwarded, to see that it comes into a block: also what its submitter died with.
  const keeping = nodes.find(
    ({ replica: { mempool, ledger } }) =>
      mempool.pendingCount > 0 || mempool.needsBlockAfter(ledger.head.block.header.time),
  );
  return keeping && `node ${keeping.index} has transactions for another block`;
}

/** Oracle 3, at the end: every node's state at its irreversible block is what the model says. */
export function assertStates(simulation: Simulation): void {
  for (const node of simulation.honest) {
    if (!node.isUp) continue;
    const { ledger } = node.replica;
    const model = modelState(simulation.watch.decidedBlocks(ledger.bottom.height));
    assertSameState(
      node.index,
      ledger.bottom.height,
      ledger.readRange("", undefined, model.length + 1, "irreversible"),
      model,
    );
    assertProofs(simulation, node);
  }
}

/** These are healed and at rest: what they hold against producers. */
export function assertEvidence(simulation: Simulation, nodes: readonly SimulatedNode[]): void {
  simulation.watch.evidence.atRest(
    nodes.map(({ index, replica }) => ({
      index,
      pieces: replica.evidence,
      knows: (producer) => replica.ledger.isProducer(producer),
    })),
  );
}

/** Two honest nodes that took different blocks for irreversible, and are linked: one of them has halted. */
export function assertFoundOut(simulation: Simulation): void {
  const going = simulation.honest.filter((node) => node.isUp && node.replica.status().halted === undefined);
  for (const a of going) {
    for (const b of going) {
      const height = Math.min(a.replica.ledger.bottom.height, b.replica.ledger.bottom.height);
      const [mine, theirs] = [a.replica.chain.idAt(height), b.replica.chain.idAt(height)];
      if (mine === theirs || !simulation.network.isLinked(a.index, b.index)) continue;
      throw new RuleBroken("finality", "two decided chains are found out", `height ${height}: ${mine}, ${theirs}`, [
        a.index,
        b.index,
      ]);
    }
  }
}

/** What a node's disk holds convinces a light client. */
function assertProofs(simulation: Simulation, { index, disk }: SimulatedNode): void {
  const certificate = disk.irreversible?.certificate;
  if (certificate === undefined || certificate.length === 0) return;
  const top = disk.irreversibleHeight;
  const heights = Array.from({ length: PROVEN_BLOCKS }, (_, i) => Math.floor((top * (i + 1)) / PROVEN_BLOCKS));
  simulation.watch.lightClient.proofs(index, { certificate, blockAt: (height) => disk.blockAt(height) }, heights);
}
