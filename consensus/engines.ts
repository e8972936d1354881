/** What differs from engine to engine, in one place: the genesis names the engine, and the rest of the node asks here. */
import type { Block } from "../chain/block.ts";
import type { Configuration } from "../chain/configuration.ts";
import type { Genesis } from "../chain/genesis.ts";
import type { BlockRef } from "../chain/header.ts";
import type { HeaderRule } from "../chain/headerRules.ts";
import { jointSets, lookupOf, type ProducerLookup } from "../chain/producerSets.ts";
import type { SignatureClaim } from "../chain/signing.ts";
import type { DecodeError, Message } from "../src/base/codec.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import { Bft } from "./bft/bft.ts";
import { decodeEvidence, type Evidence, type EvidenceError } from "./bft/evidence.ts";
import { decodeQuorumCertificate, type Judgement, preparedBy } from "./bft/certificates.ts";
import { attachmentClaims, bftHeaderRule } from "./bft/headerRule.ts";
import { initialBftRecord } from "./bft/heldRecord.ts";
import type { BftHost } from "./bft/host.ts";
import { type BftRecord, bftRecordMessage } from "./bft/messages.ts";
import { type Certificate, type CertificateError, decodeCertificate } from "./certificate.ts";
import type { Engine } from "./engine.ts";
import { changeProofClaims } from "./leading/changeProof.ts";
import type { ConsensusMessage } from "./messages.ts";
import { raftHeaderRule } from "./raft/headerRule.ts";
import { type RaftRecord, raftRecordMessage } from "./raft/messages.ts";
import { Raft } from "./raft/raft.ts";
import { vsrHeaderRule } from "./vsr/headerRule.ts";
import { type VsrRecord, vsrRecordMessage } from "./vsr/messages.ts";
import { Vsr } from "./vsr/vsr.ts";

/** A durable record, decoded. */
export type EngineRecord =
  | { readonly engine: "raft"; readonly content: RaftRecord }
  | { readonly engine: "vsr"; readonly content: VsrRecord }
  | { readonly engine: "bft"; readonly content: BftRecord };

type Claims = Result<readonly SignatureClaim[], CertificateError>;

export interface EngineKit {
  readonly headerRule: HeaderRule;
  /**
   * Everything of a certificate but its signatures is checked.
   * @param proposed judges with a set that is known where the certificate names the two
   */
  decodeCertificate(encoded: Uint8Array, proposed?: Configuration): Result<Certificate, CertificateError>;
  /** Signatures in what the engine attached to a block. */
  attachmentClaims(block: Block): Claims;
  /** The certificate by which a block proves an ancestor irreversible. */
  proofOf(block: Block): Certificate | undefined;
  /**
   * Everything of a piece of evidence but its signatures is checked.
   * @param isProducer default: as far as the chain is known here. Evidence that was kept may be older than that.
   */
  decodeEvidence(encoded: Uint8Array, isProducer?: ProducerLookup["isProducer"]): Result<Evidence, EvidenceError>;
  /** Signatures beside the signer's own. */
  messageClaims(message: ConsensusMessage): Claims;
  /** The first record of a producer. */
  initialRecord(): Uint8Array;
  decodeRecord(bytes: Uint8Array): Result<EngineRecord, DecodeError>;
  /** @param record as it was on disk; undefined: lost */
  makeEngine(host: BftHost, record: Uint8Array | undefined): Engine;
  /** What a peer calls its root is irreversible there; else it may be certified only. */
  readonly rootsAreFinal: boolean;
  /** A transaction that is not included in time goes to all producers, who then watch the leader. */
  readonly forwardsToAll: boolean;
  /** Between neighbours nothing goes by way of others, whatever they say of their routes. */
  readonly relaysMayLie: boolean;
}

/**
 * @param genesisId id of block 0
 * @param lookup of the chain; default: its producer set is never changed
 */
export function engineKit(
  genesis: Genesis,
  genesisId: string,
  lookup: ProducerLookup = lookupOf(genesis.configuration),
): EngineKit {
  const root = { view: 0, height: 0, id: genesisId };
  switch (genesis.engine) {
    case "raft":
      return raftKit(genesis, root, lookup);
    case "bft":
      return bftKit(genesis, root, lookup);
    case "vsr":
      return vsrKit(genesis, root, lookup);
  }
}

function raftKit({ chainId }: Genesis, root: BlockRef, lookup: ProducerLookup): EngineKit {
  const decode = certificateDecoder({ engine: "raft", chainId }, lookup);
  return {
    headerRule: raftHeaderRule(chainId),
    decodeCertificate: decode,
    attachmentClaims: (block) => changeProofClaims(block, chainId, lookup),
    proofOf: (block) => proofIn(block, decode),
    decodeEvidence: () => err({ code: "EVIDENCE_INVALID", detail: "nobody is accused under this engine" }),
    messageClaims: () => NO_CLAIMS,
    initialRecord: () => raftRecordMessage.encode({ view: 0, ackedHead: root }),
    decodeRecord: (bytes) => {
      const decoded = raftRecordMessage.decode(bytes);
      return decoded.ok ? ok({ engine: "raft", content: decoded.value }) : decoded;
    },
    makeEngine: (host, record) => new Raft(host, held(record, raftRecordMessage)),
    rootsAreFinal: true,
    forwardsToAll: false,
    relaysMayLie: false,
  };
}

/** Certificates are Raft's: acks of a majority. */
function vsrKit(genesis: Genesis, root: BlockRef, lookup: ProducerLookup): EngineKit {
  return {
    ...raftKit(genesis, root, lookup),
    headerRule: vsrHeaderRule(genesis.chainId),
    initialRecord: () => vsrRecordMessage.encode({ view: 0, ackedHead: root, incarnations: [] }),
    decodeRecord: (bytes) => {
      const decoded = vsrRecordMessage.decode(bytes);
      return decoded.ok ? ok({ engine: "vsr", content: decoded.value }) : decoded;
    },
    makeEngine: (host, record) => new Vsr(host, held(record, vsrRecordMessage)),
  };
}

function bftKit({ chainId }: Genesis, root: BlockRef, lookup: ProducerLookup): EngineKit {
  const judgement: Judgement = { chainId, genesis: root, setsNamed: lookup.setsNamed };
  const decode = certificateDecoder({ engine: "bft", chainId }, lookup);
  return {
    headerRule: bftHeaderRule(judgement),
    decodeCertificate: decode,
    attachmentClaims: (block) => attachmentClaims(block, judgement),
    proofOf: (block) => proofIn(block, decode),
    decodeEvidence: (encoded, isProducer = lookup.isProducer) => decodeEvidence(encoded, chainId, { isProducer }),
    messageClaims: ({ attachment }) => {
      const certificate = preparedBy(attachment, judgement);
      return certificate.ok ? ok(certificate.value?.claims ?? []) : certificate;
    },
    initialRecord: () => bftRecordMessage.encode(initialBftRecord(root)),
    decodeRecord: (bytes) => {
      const decoded = bftRecordMessage.decode(bytes);
      return decoded.ok ? ok({ engine: "bft", content: decoded.value }) : decoded;
    },
    makeEngine: (host, record) => new Bft(host, judgement, record),
    rootsAreFinal: false,
    forwardsToAll: true,
    relaysMayLie: true,
  };
}

/** Everything of a certificate but its signatures is checked; it may be of a block that is certified only (BFT). */
export function certificateDecoder(
  { engine, chainId }: Pick<Genesis, "engine" | "chainId">,
  lookup: ProducerLookup,
): EngineKit["decodeCertificate"] {
  switch (engine) {
    case "raft":
    case "vsr":
      return (encoded, proposed) => decodeCertificate(encoded, chainId, lookingUp(lookup, proposed));
    case "bft":
      return (encoded, proposed) => {
        const decoded = decodeQuorumCertificate(encoded, { chainId, ...lookingUp(lookup, proposed) });
        if (!decoded.ok) return decoded;
        const { ref, header, bytes, claims, commit } = decoded.value;
        return ok({ height: ref.height, id: ref.id, view: ref.view, header, bytes, claims, isFinal: commit });
      };
  }
}

/** A set in force and what is said to be proposed decide together: the hash that a quorum of the first signed names both. */
function lookingUp(lookup: ProducerLookup, proposed: Configuration | undefined): Pick<ProducerLookup, "setsNamed"> {
  if (proposed === undefined) return lookup;
  return {
    setsNamed: (hash, height) => {
      const known = lookup.setsNamed(hash, height);
      if (known !== undefined) return known;
      return lookup
        .inForce()
        .map((set) => jointSets(set, proposed, height))
        .find((sets) => sets.hash === hash);
    },
  };
}

function proofIn({ proof }: Block, decode: EngineKit["decodeCertificate"]): Certificate | undefined {
  const decoded = proof && decode(proof);
  return decoded?.ok ? decoded.value : undefined;
}

const NO_CLAIMS: Claims = ok([]);

/** A record that does not decode counts as lost. */
function held<T>(bytes: Uint8Array | undefined, format: Message<T>): T | undefined {
  const decoded = bytes && format.decode(bytes);
  return decoded?.ok ? decoded.value : undefined;
}
