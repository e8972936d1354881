/**
 * Makes blocks outside any node: valid ones with a ledger of its own, and such as no correct producer makes. All keys of
 * a run are at hand, so a forged block bears a true signature unless a bad one is asked for.
 */
import { type Block, assembleBlock, encodeBlockParts } from "../../../chain/block.ts";
import { DuplicateWindow } from "../../../chain/duplicateWindow.ts";
import { makeGenesisBlock } from "../../../chain/genesisBlock.ts";
import { type Header, headerMessage } from "../../../chain/header.ts";
import { Ledger } from "../../../chain/ledger.ts";
import { append, EMPTY_FRONTIER, frontierRoot, leafHash } from "../../../chain/merkle.ts";
import { firstSets } from "../../../chain/producerSets.ts";
import { signingDigest } from "../../../chain/signing.ts";
import { State } from "../../../chain/state.ts";
import { concatBytes, hexBytes, toHex } from "../../../src/base/bytes.ts";
import { sha256Hex } from "../../../src/base/hash.ts";
import { BLOCK_PREFIX, BLOCK_RESPONSE_PREFIX } from "../../../consensus/messages.ts";
import { StateDisk } from "../disk.ts";
import type { Simulation } from "../simulation.ts";

export class Forge {
  readonly #simulation: Simulation;
  /** Every block that was made or taken in here, and how to get to it. */
  readonly #blocks = new Map<string, Block>();
  /** Stands where the last block was made: most are made on top of it. */
  #ledger: Ledger | undefined;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  get genesis(): Block {
    return this.#simulation.genesisBlock;
  }

  /** A valid empty block of `producer` in `view` on top of `parent`, which is the genesis, forged here, or seen in the run. */
  block(parent: Block, view: number, producer: number): Block {
    const ledger = this.#ledgerAt(parent);
    ledger.startBlock({
      view,
      time: parent.header.time + 1,
      producer: this.#simulation.node(producer).key,
      irreversibleHeight: parent.header.irreversibleHeight,
      closing: false,
    });
    const { block } = ledger.finishBlock((id) => this.#sign(producer, id));
    this.#blocks.set(block.id, block);
    while (ledger.work(Number.POSITIVE_INFINITY).more);
    return block;
  }

  /** `count` empty blocks of one view, the first on top of `parent`, oldest first. */
  chain(parent: Block, view: number, producer: number, count: number): Block[] {
    const blocks: Block[] = [];
    for (let i = 0; i < count; i++) blocks.push(this.block(blocks.at(-1) ?? parent, view, producer));
    return blocks;
  }

  /** The block with some fields of its header changed, signed by `producer` all the same. */
  changed(block: Block, fields: Partial<Header>, producer: number): Block {
    const headerBytes = headerMessage.encode({ ...block.header, ...fields });
    const made = assembleBlock(headerBytes, this.#sign(producer, sha256Hex(headerBytes)), block.body);
    if (!made.ok) throw new Error(`not even a block: ${made.error.code}`);
    return made.value;
  }

  /** An empty block on top of any other, as its header alone can be made: what it says of the state is wrong. */
  wrongChild(parent: Block, producer: number, fields: Partial<Header> = {}): Block {
    const { header } = parent;
    const above = { height: header.height + 1, parent: parent.id, time: header.time + 1, stateHash: "f".repeat(64) };
    return this.changed(
      { ...parent, body: new Uint8Array(0) },
      { ...above, transactionRoot: this.genesis.header.transactionRoot, ...fields },
      producer,
    );
  }

  /** What a child of the last of these blocks says of the history; the first is a child of the genesis. */
  historyRootAfter(blocks: readonly Block[]): string {
    const leaves = [this.genesis, ...blocks].map(({ id }) => leafHash(hexBytes(id)));
    return toHex(frontierRoot(leaves.reduce((frontier, leaf) => append(frontier, leaf), EMPTY_FRONTIER)));
  }

  /** The block with a signature that nobody made. */
  unsigned(block: Block): Block {
    return { ...block, signature: new Uint8Array(block.signature.length).fill(7) };
  }

  #sign(producer: number, id: string): Uint8Array {
    const { keys, genesis } = this.#simulation;
    return keys.sign(this.#simulation.node(producer).key, signingDigest("block", genesis.chainId, hexBytes(id)));
  }

  /** A ledger whose head is `parent`. */
  #ledgerAt(parent: Block): Ledger {
    if (this.#ledger?.head.id === parent.id) return this.#ledger;
    const { genesis, application } = this.#simulation;
    const disk = new StateDisk();
    const made = makeGenesisBlock(genesis, application());
    disk.apply({ height: 0, id: made.block.id, changes: made.changes, blocks: [] });
    const setting = {
      application: application(),
      engine: genesis.engine,
      limits: genesis.limits,
      state: new State(disk.reader(), 0),
      duplicates: new DuplicateWindow(1),
    };
    const bottom = {
      block: this.genesis,
      frontier: append(EMPTY_FRONTIER, leafHash(hexBytes(this.genesis.id))),
      producerSets: firstSets(genesis.configuration),
    };
    const ledger = new Ledger(setting, bottom, () => undefined);
    for (const block of this.#pathTo(parent)) ledger.add(block);
    while (ledger.work(Number.POSITIVE_INFINITY).more);
    if (ledger.head.id !== parent.id) throw new Error(`block ${parent.id} is not valid and can bear no valid child`);
    this.#ledger = ledger;
    return ledger;
  }

  /** From the genesis' child to `block`. */
  #pathTo(block: Block): Block[] {
    const path: Block[] = [];
    for (let at = block; at.header.height > 0; at = this.#find(at.header.parent)) path.push(at);
    return path.reverse();
  }

  #find(id: string): Block {
    return this.#blocks.get(id) ?? this.#simulation.watch.block(id);
  }
}

/** A block as a frame of the chain lane. `requested`: as the answer to a request. */
export function blockFrame(block: Block, requested = false): Uint8Array {
  return concatBytes(requested ? BLOCK_RESPONSE_PREFIX : BLOCK_PREFIX, ...encodeBlockParts(block));
}
