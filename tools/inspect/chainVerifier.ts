/**
 * A chain from its genesis upwards, block by block: links, rules of headers, history, signatures, certificates, execution.
 * Knows nothing of where blocks come from; directory and URL feed it.
 */
import type { Application } from "../../chain/application.ts";
import { type Block, blockClaim } from "../../chain/block.ts";
import { elementAt } from "../../chain/byteList.ts";
import type { Genesis } from "../../chain/genesis.ts";
import { headerFault, type RuleChain } from "../../chain/headerRules.ts";
import { append, EMPTY_FRONTIER, type Frontier, frontierRoot, leafHash } from "../../chain/merkle.ts";
import {
  firstSets,
  isMember,
  type ProducerLookup,
  type ProducerSets,
  setsAfter,
  setsAt,
  type SetsFrom,
} from "../../chain/producerSets.ts";
import { bearsSignatures, transactionClaims } from "../../chain/transactionClaims.ts";
import { type EngineKit, engineKit } from "../../consensus/engines.ts";
import { hexBytes, toHex } from "../../src/base/bytes.ts";
import { type Fault, FaultFound } from "./fault.ts";
import { Reexecution } from "./reexecution.ts";
import { SignatureQueue } from "./signatureQueue.ts";

export interface Counts {
  readonly blocks: number;
  readonly transactions: number;
  readonly signatures: number;
  readonly certificates: number;
  /** Height of the highest certificate. */
  readonly certifiedHeight: number;
}

/** Entries and proofs refer to blocks within a leader's window, or to the last that was decided. */
const RECENT_BLOCKS = 4_096;

export class ChainVerifier {
  readonly genesis: Genesis;
  readonly reexecution: Reexecution;
  readonly kit: EngineKit;
  readonly #signatures = new SignatureQueue();
  /** Ids of the last blocks, by height: what entries and proofs refer to is not far below. */
  readonly #recentIds = new Map<number, string>();
  #block: Block;
  #frontier: Frontier;
  /** Of the whole chain. */
  readonly #setsFrom: SetsFrom[];
  readonly #lookup: ProducerLookup = {
    setsNamed: (hash, height) => this.#setsNamed(hash, height),
    isProducer: (key) => this.#setsFrom.some(({ sets }) => isMember(sets, key)),
    inForce: () => [],
  };
  readonly #chain: RuleChain = { idAt: (height) => this.#recentIds.get(height), setsNamed: this.#lookup.setsNamed };
  #transactions = 0;
  #certificates = 0;
  #certifiedHeight = 0;

  private constructor(genesis: Genesis, reexecution: Reexecution) {
    this.genesis = genesis;
    this.reexecution = reexecution;
    this.#block = reexecution.genesisBlock;
    this.kit = engineKit(genesis, this.#block.id, this.#lookup);
    this.#recentIds.set(0, this.#block.id);
    this.#setsFrom = [...firstSets(genesis.configuration)];
    this.#frontier = append(EMPTY_FRONTIER, leafHash(hexBytes(this.#block.id)));
  }

  static async start(genesis: Genesis, application: Application): Promise<ChainVerifier> {
    return new ChainVerifier(genesis, await Reexecution.start(genesis, application));
  }

  /** The last block that was added; block 0 at first. */
  get block(): Block {
    return this.#block;
  }

  /** Of the history tree up to and including {@link block}. */
  get frontier(): Frontier {
    return this.#frontier;
  }

  get counts(): Counts {
    return {
      blocks: this.#block.header.height,
      transactions: this.#transactions,
      signatures: this.#signatures.count,
      certificates: this.#certificates,
      certifiedHeight: this.#certifiedHeight,
    };
  }

  /** Takes the next block, whose own hashes were checked. Signatures are checked behind. @throws FaultFound */
  add(block: Block): void {
    const { height, parent } = block.header;
    if (parent !== this.#block.id) {
      throw new FaultFound({
        kind: "link",
        detail: "its parent is not the block below it",
        height,
        id: block.id,
        expected: this.#block.id,
        found: parent,
      });
    }
    const { sets } = this.#setsFrom.at(-1) as SetsFrom;
    const place = { block: this.#block, frontier: this.#frontier, setsAfter: sets };
    const reason = headerFault(block, place, this.genesis) ?? this.kit.headerRule(block, place, this.#chain);
    if (reason?.code === "HISTORY_ROOT") {
      const expected = toHex(frontierRoot(this.#frontier));
      const detail = "its historyRoot is not the root over the ids of the blocks below it";
      throw new FaultFound({
        kind: "history root",
        detail,
        height,
        id: block.id,
        expected,
        found: block.header.historyRoot,
      });
    }
    if (reason !== undefined) {
      throw new FaultFound({ kind: "header rule", detail: `${reason.code}: ${reason.detail}`, height, id: block.id });
    }
    this.addSignatures(block);
    this.#block = block;
    const following = setsAfter(sets, block.header, block.nextConfiguration);
    if (following !== sets) this.#setsFrom.push({ from: block.header.height + 1, sets: following });
    this.#recentIds.set(block.header.height, block.id);
    this.#recentIds.delete(block.header.height - RECENT_BLOCKS);
    this.#frontier = append(this.#frontier, leafHash(hexBytes(block.id)));
    this.#transactions += block.transactions.count;
  }

  /** Those of this hash that judge the block at a height. */
  #setsNamed(hash: string, height: number): ProducerSets | undefined {
    const sets = setsAt(this.#setsFrom, height);
    return sets.hash === hash ? sets : undefined;
  }

  /** Of any set of the chain so far. */
  isProducer(key: string): boolean {
    return this.#lookup.isProducer(key);
  }

  /**
   * The producer's signature, those of the authors, and those in what the engine attached.
   * @param isReversible above the chain: what it attaches may be signed by producers that came later
   */
  addSignatures(block: Block, isReversible = false): void {
    const { height } = block.header;
    const { chainId } = this.genesis;
    const attached = this.kit.attachmentClaims(block);
    if (!attached.ok && !(isReversible && attached.error.code === "PRODUCERS_UNKNOWN"))
      throw new FaultFound({ kind: "header rule", detail: attached.error.detail, height, id: block.id });
    for (const claim of attached.ok ? attached.value : []) {
      this.#signatures.add(claim, () => ({
        kind: "signature",
        detail: `one in its entry or proof is not of producer ${claim.key}`,
        height,
        id: block.id,
      }));
    }
    this.#signatures.add(blockClaim(chainId, block), () => ({
      kind: "signature",
      detail: `it is not one of producer ${block.header.producer} over this block`,
      height,
      id: block.id,
    }));
    const { buffer, offsets, count } = block.transactions;
    for (let index = 0; index < count; index++) {
      if (!bearsSignatures(buffer, offsets[2 * index] as number, offsets[2 * index + 1] as number)) continue;
      for (const claim of transactionClaims(chainId, elementAt(block.transactions, index))) {
        this.#signatures.add(claim, () => ({
          kind: "transaction signature",
          detail: `it is not one of ${claim.key}, its author or a producer who approves, over this transaction`,
          height,
          id: block.id,
          index,
        }));
      }
    }
  }

  /** A certificate that is said to be the one of the block added last. @throws FaultFound */
  addCertificate(encoded: Uint8Array, where: Partial<Fault> = {}): void {
    const { id } = this.#block;
    const { height } = this.#block.header;
    const fail = (detail: string): never => {
      throw new FaultFound({ kind: "certificate", detail, height, id, ...where });
    };
    const certificate = this.kit.decodeCertificate(encoded);
    if (!certificate.ok) return fail(certificate.error.detail);
    if (!certificate.value.isFinal) return fail("it does not prove its block irreversible");
    if (certificate.value.id !== id) {
      throw new FaultFound({
        kind: "certificate",
        detail: "it certifies another block",
        height,
        id,
        expected: id,
        found: certificate.value.id,
        ...where,
      });
    }
    for (const claim of certificate.value.claims) {
      this.#signatures.add(claim, () => ({
        kind: "certificate",
        detail: `a signature in it is not of producer ${claim.key}`,
        height,
        id,
        ...where,
      }));
    }
    this.#certificates++;
    this.#certifiedHeight = height;
  }

  /** Executes the block added last and gives its receipts as the state database keeps them. @throws FaultFound */
  execute(): Uint8Array {
    return this.reexecution.execute(this.#block).receipts.buffer;
  }

  /** True when {@link pause} has something to wait for. */
  get isBusy(): boolean {
    return this.reexecution.runIsFull || !this.#signatures.hasRoom;
  }

  /** Lets disk and pool catch up, so that memory stays bounded. @throws FaultFound when a signature was wrong */
  async pause(): Promise<void> {
    if (this.reexecution.runIsFull) await this.reexecution.endRun();
    await this.#signatures.room();
    this.#throwSignatureFault();
  }

  /** Waits for every signature. @throws FaultFound */
  async signaturesChecked(): Promise<void> {
    await this.#signatures.drained();
    this.#throwSignatureFault();
  }

  /** Signatures come back late: the first thing wrong may be one of them and not what was found meanwhile. */
  async firstOf(found: FaultFound): Promise<FaultFound> {
    await this.#signatures.drained();
    return this.#signatures.fault === undefined ? found : new FaultFound(this.#signatures.fault);
  }

  async close(): Promise<void> {
    await this.#signatures.drained();
    await this.reexecution.close();
  }

  #throwSignatureFault(): void {
    const { fault } = this.#signatures;
    if (fault !== undefined) throw new FaultFound(fault);
  }
}
