/** Blocks of chain.db as the core wants them. What does not read is reported, and is not there. */
import { assembleBlock, type Block } from "../../chain/block.ts";
import type { Genesis } from "../../chain/genesis.ts";
import { append, decodeFrontier, EMPTY_FRONTIER, type Frontier, leafHash } from "../../chain/merkle.ts";
import { headerMessage } from "../../chain/header.ts";
import { decodeProducerSets, decodeSetsHistory, type SetsFrom } from "../../chain/producerSets.ts";
import type { BlockLog, ProvenChange, RawBlock } from "../../consensus/sync/bestChain.ts";
import type { RangeLog } from "../../consensus/sync/rangeServer.ts";
import { hexBytes } from "../base/bytes.ts";
import { StorageError, type StoredBlock, type StoredSets } from "./storage/types.ts";

/** The part of the chain store that is read here. */
export interface BlockReader {
  readonly file: string;
  byId(id: string): StoredBlock | undefined;
  byHeight(height: number): StoredBlock | undefined;
  idAt(height: number): string | undefined;
  idsFrom(height: number, count: number): string[];
  range(from: number, limit: number, limitBytes?: number): StoredBlock[];
  heightOf(id: string): number | undefined;
  changeProving(height: number): StoredSets | undefined;
}

/** A stored block decoded and checked against its header. Throws StorageError DAMAGED. */
export function decodeStored(file: string, stored: StoredBlock): Block {
  const block = assembleBlock(stored.header, stored.signature, stored.body);
  if (block.ok && block.value.id === stored.id) return block.value;
  const why = block.ok ? "its id is another one" : block.error.code;
  throw new StorageError("DAMAGED", file, `${file}: block ${stored.height} ${stored.id} is damaged: ${why}`, {
    height: stored.height,
    id: stored.id,
  });
}

/**
 * The block log of the sync machine.
 * @param genesis block 0, which is not in the database
 * @param onDamaged told of blocks that cannot be read; they count as not held
 */
export function makeBlockLog(
  reader: BlockReader,
  genesis: Block,
  onDamaged: (error: StorageError) => void,
): BlockLog & RangeLog {
  const guarded = <T>(read: () => T | undefined): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      onDamaged(error);
      return undefined;
    }
  };
  const rawOfStored = (stored: StoredBlock | undefined): RawBlock | undefined => {
    if (stored === undefined) return undefined;
    const { id, height, header: headerBytes, signature, body } = stored;
    const header = headerMessage.decode(headerBytes);
    if (header.ok) return { id, height, view: header.value.view, headerBytes, signature, body };
    const { file } = reader;
    throw new StorageError("DAMAGED", file, `${file}: the header of block ${height} ${id} is damaged`, { height, id });
  };
  const genesisRaw = rawOfBlock(genesis);
  const blockAt = (height: number): RawBlock | undefined => {
    if (height === 0) return genesisRaw;
    return guarded(() => rawOfStored(reader.byHeight(height)));
  };
  return {
    blockAt,
    range: (from, to, maxBytes) =>
      (guarded(() => reader.range(from, to - from + 1, maxBytes)) ?? []).map(({ header, signature, body }) => ({
        headerBytes: header,
        signature,
        body,
      })),
    idAt: (height) => (height === 0 ? genesis.id : guarded(() => reader.idAt(height))),
    idsFrom: (height, count) => guarded(() => idsFrom(reader, genesis, height, count)) ?? [],
    heightOf: (id) => (id === genesis.id ? 0 : guarded(() => reader.heightOf(id))),
    changeProving: (height) => guarded(() => provenChange(reader, reader.changeProving(height))),
    byId: (id) => (id === genesis.id ? undefined : guarded(() => rawOfStored(reader.byId(id)))),
  };
}

/** The end of a change of the producer set: the block below its first height has the proof. */
function provenChange(
  reader: Pick<BlockReader, "file" | "byHeight">,
  ended: StoredSets | undefined,
): ProvenChange | undefined {
  const stored = ended && reader.byHeight(ended.from - 1);
  const certificate = stored && decodeStored(reader.file, stored).proof;
  const sets = ended && decodeProducerSets(ended.sets);
  return certificate && sets && { certificate, producers: sets.current };
}

/** Ids of irreversible blocks from a height on; block 0 is not in the database. */
export function idsFrom(
  reader: Pick<BlockReader, "idsFrom">,
  genesis: Block,
  height: number,
  count: number,
): readonly string[] {
  return height === 0 ? [genesis.id, ...reader.idsFrom(1, count - 1)] : reader.idsFrom(height, count);
}

/** The history tree's frontier up to block 0. */
export function genesisFrontier(genesis: Block): Frontier {
  return append(EMPTY_FRONTIER, leafHash(hexBytes(genesis.id)));
}

/** Throws StorageError DAMAGED. */
export function decodeStoredFrontier(file: string, bytes: Uint8Array): Frontier {
  const frontier = decodeFrontier(bytes);
  if (!frontier.ok) throw new StorageError("DAMAGED", file, `${file}: the history tree's frontier is damaged`);
  return frontier.value;
}

/** The producer sets of an irreversible chain, from block 0 on. Throws StorageError DAMAGED. */
export function decodeStoredSets(
  file: string,
  { configuration }: Pick<Genesis, "configuration">,
  stored: readonly StoredSets[],
): readonly SetsFrom[] {
  const history = decodeSetsHistory(configuration, stored);
  if (history.ok) return history.value;
  throw new StorageError("DAMAGED", file, `${file}: the producer sets from height ${history.error} on are damaged`);
}

/** Where the changes of an irreversible chain began and ended: heights of blocks. */
export function changesOf(
  stored: readonly StoredSets[],
): { readonly began: number; readonly ended: number | undefined }[] {
  return stored.flatMap(({ from, provenHeight }, index) => {
    // Joint sets begin a change, and are followed by those that end it.
    if (provenHeight > 0) return [];
    const end = stored[index + 1];
    return [{ began: from - 1, ended: end === undefined ? undefined : end.from - 1 }];
  });
}

function rawOfBlock(block: Block): RawBlock {
  return { ...block, height: block.header.height, view: block.header.view };
}
