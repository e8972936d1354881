/** What nodes say of themselves and of the key-value state. */
import type { NodeStatus, OffPeer, PeerView, ProducerSetView, ProducerView, RouteJson } from "../node/api.ts";
import { isHeight, isId, isListOf, isObject, isText } from "./shape.ts";
import type { BytesJson } from "./transactions.ts";

export type { NodeStatus } from "../node/api.ts";

export interface Peers {
  readonly peers: readonly PeerView[];
  /** Peers to which the operator switched links off. */
  readonly off: readonly OffPeer[];
}

export interface Routes {
  readonly routes: readonly RouteJson[];
}

/** The set in force, each producer as it looks from the node, and a change that is under way. */
export interface Producers extends ProducerSetView {
  readonly producers: readonly ProducerView[];
}

/** `genesis.json` of the chain. */
export type GenesisAnswer = Readonly<Record<string, unknown>> & {
  readonly name: string;
  readonly application: { readonly name: string };
  readonly producers: readonly { readonly name: string; readonly key: string }[];
};

export interface KvEntry {
  readonly key: BytesJson;
  readonly value: Uint8Array;
  /** The value, when it is UTF-8. */
  readonly text?: string;
  /** Height of the last write. */
  readonly version: number;
}

export interface KvRange {
  readonly entries: readonly KvEntry[];
  /** Of the state that was read. */
  readonly height: number;
  /** There are more: ask again with `after` the last key. */
  readonly more: boolean;
}

export function isStatus(value: unknown): value is NodeStatus {
  if (!isObject(value)) return false;
  const { chainId, name, node, consensus, head, irreversible, sync, peers, mempool } = value;
  if (!isId(chainId) || !isText(name) || !isHeight(peers)) return false;
  if (!isObject(node) || !isText(node["name"]) || !isText(node["key"]) || !isText(node["role"])) return false;
  if (
    !isObject(consensus) ||
    !isText(consensus["engine"]) ||
    !isText(consensus["status"]) ||
    !isHeight(consensus["view"])
  )
    return false;
  if (!isListOf(consensus["producers"], isNamedKey)) return false;
  if (!isObject(sync) || !isText(sync["state"]) || typeof sync["rate"] !== "number") return false;
  return isReference(head) && isReference(irreversible) && isObject(mempool) && isHeight(mempool["count"]);
}

function isNamedKey(value: unknown): value is { readonly name: string; readonly key: string } {
  return isObject(value) && isText(value["name"]) && isText(value["key"]);
}

function isReference(value: unknown): boolean {
  return isObject(value) && isHeight(value["height"]) && isId(value["id"]) && isHeight(value["time"]);
}

export function isPeers(value: unknown): value is Peers {
  return isObject(value) && isListOf(value["peers"], isPeer) && isListOf(value["off"], isOffPeer);
}

function isPeer(value: unknown): value is PeerView {
  if (!isObject(value)) return false;
  return ["key", "name", "role", "address", "direction", "phase"].every((field) => isText(value[field]));
}

export function isRoutes(value: unknown): value is Routes {
  return isObject(value) && isListOf(value["routes"], isRoute);
}

function isRoute(value: unknown): value is RouteJson {
  if (!isObject(value) || !isId(value["producer"]) || !isText(value["name"])) return false;
  const { via, metric, candidates } = value;
  const isMeasured = metric === null || typeof metric === "number";
  return (
    isMeasured &&
    (via === null || isId(via)) &&
    isListOf(candidates, (each): each is unknown => isObject(each) && isId(each["via"]))
  );
}

export function isProducers(value: unknown): value is Producers {
  if (!isObject(value) || !isListOf(value["producers"], isProducerView)) return false;
  const { config, activeFrom, changes, approval, change } = value;
  if (!isId(config) || !isHeight(activeFrom) || !isHeight(changes)) return false;
  if (!isObject(approval) || !isText(approval["rule"]) || !isHeight(approval["needed"])) return false;
  if (change === null) return true;
  return isObject(change) && isHeight(change["height"]) && isListOf(change["producers"], isEntry);
}

function isProducerView(value: unknown): value is ProducerView {
  return isEntry(value) && isText((value as { readonly state?: unknown }).state);
}

function isEntry(value: unknown): value is { readonly key: string; readonly name: string; readonly address: string } {
  return isObject(value) && isId(value["key"]) && isText(value["name"]) && isText(value["address"]);
}

function isOffPeer(value: unknown): value is OffPeer {
  return isObject(value) && isId(value["key"]) && (value["name"] === undefined || isText(value["name"]));
}

export function isGenesis(value: unknown): value is GenesisAnswer {
  if (!isObject(value) || !isText(value["name"]) || !isListOf(value["producers"], isNamedKey)) return false;
  return isObject(value["application"]) && isText(value["application"]["name"]);
}
