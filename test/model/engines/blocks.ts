/** Blocks of the model of an engine change, and whose signatures count for them. */

export type Kind = "raft" | "bft";

/** What signs, decides and elects for a time: an engine and its producers. */
export interface Era {
  readonly engine: Kind;
  readonly producers: readonly number[];
}

export interface ModelBlock {
  readonly id: string;
  readonly height: number;
  readonly view: number;
  readonly parent: ModelBlock | undefined;
  /** 0: the old engine's, 1: the new one's. */
  readonly era: 0 | 1;
  /**
   * `change` names the new engine and set (C); `switch` is the first one that says that the change is irreversible (D);
   * `carrier`: what the old engine makes on top of that, empty.
   */
  readonly kind: "plain" | "change" | "switch" | "carrier";
}

export const GENESIS: ModelBlock = { id: "0", height: 0, view: 0, parent: undefined, era: 0, kind: "plain" };

export function ancestorAt(block: ModelBlock, height: number): ModelBlock | undefined {
  let at: ModelBlock | undefined = block;
  while (at !== undefined && at.height > height) at = at.parent;
  return at?.height === height ? at : undefined;
}

export function precedes(ancestor: ModelBlock, block: ModelBlock): boolean {
  return ancestorAt(block, ancestor.height)?.id === ancestor.id;
}

/** The nearest of a kind among a block and its ancestors. */
export function nearest(block: ModelBlock, kind: ModelBlock["kind"]): ModelBlock | undefined {
  let at: ModelBlock | undefined = block;
  while (at !== undefined && at.kind !== kind) at = at.parent;
  return at;
}

/** Does the change stand in this chain, so that both sets have to agree [S10]? */
export function isJoint(block: ModelBlock): boolean {
  return block.era === 0 && nearest(block, "change") !== undefined;
}

export function quorumOf({ engine, producers }: Era): number {
  return engine === "raft" ? Math.floor(producers.length / 2) + 1 : Math.floor((2 * producers.length) / 3) + 1;
}

/** @param signers a bit for each process */
export function isQuorum(signers: number, eras: readonly Era[]): boolean {
  return eras.every((era) => era.producers.filter((i) => (signers >> i) & 1).length >= quorumOf(era));
}
