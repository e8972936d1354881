/** What the page shows all the time: the node's status, the newest blocks, producers, peers. */
import type { Peer, Producer, ShownBlock, Status } from "./answers.ts";
import { element, link, row, short } from "./dom.ts";

/** Blocks of the list. */
export const BLOCKS_SHOWN = 20;

export function statusFacts({ consensus, head, irreversible, sync, peers, mempool, node }: Status): HTMLElement[] {
  const named = consensus.producers.find(({ key }) => key === consensus.leader)?.name;
  const isSynced = sync.state === "synced";
  const state = isSynced ? "synced" : `${sync.state}, ${sync.target - head.height} blocks to go`;
  return [
    fact(`Node, a ${node.role}`, node.name),
    fact("Engine", `${consensus.engine}, view ${consensus.view}`),
    fact("Leader", named ?? "none known", named === undefined ? "bad" : ""),
    fact("Head", String(head.height)),
    fact("Irreversible", String(irreversible.height)),
    fact("Sync", sync.stalledBecause ?? state, isSynced ? "good" : "bad"),
    fact("Peers", String(peers)),
    fact("Waiting", String(mempool.count)),
  ];
}

function fact(name: string, value: string, kind = ""): HTMLElement {
  return element("div", "fact", element("span", "", name), element("strong", kind, value));
}

export function blockRow(
  { height, id, header, transactionCount }: ShownBlock,
  names: ReadonlyMap<string, string>,
): HTMLElement {
  const time = new Date(header.time);
  const clock = Number.isNaN(time.getTime()) ? String(header.time) : time.toLocaleTimeString();
  return row(
    { number: link(`block/${height}`, String(height)) },
    link(`block/${id}`, short(id)),
    names.get(header.producer) ?? (height === 0 ? "genesis" : short(header.producer)),
    { number: String(header.view) },
    { number: String(transactionCount) },
    { number: clock },
  );
}

export function producerRow({ key, name, state, because }: Producer, leader: string | null): HTMLElement {
  const does = key === leader ? "leads" : state === "self" ? "this node" : state;
  const words = state === "faulty" ? element("span", "bad", `faulty: ${because ?? ""}`) : does;
  return row(name, short(key), { number: words });
}

export function peerRow({ key, name, role, rttMs, height }: Peer): HTMLElement {
  const at = height === undefined ? role : `${role} at ${height}`;
  return row(name, short(key), at, { number: rttMs === undefined ? "" : `${rttMs.toFixed(1)} ms` });
}
