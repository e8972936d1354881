/** The light client: `import { LightClient } from "cairn/client/light"`; docs/proofs.md says what it checks. */
export type { BlockProof, ProvenBlock } from "../../../consensus/blockProof.ts";
export type { ProducersProof } from "../../../consensus/producersProof.ts";
export type { ProvenTransaction } from "../../../consensus/transactionProof.ts";
export { LightError, type LightErrorCode, type LightErrorDetails } from "./errors.ts";
export {
  checkEvidence,
  checkProducerEvidence,
  EVIDENCE_FORMAT,
  type EvidenceVerdict,
  type ForkEvidence,
  type ProducerVerdict,
} from "./evidence.ts";
export { PRODUCER_EVIDENCE_FORMAT, type ProducerEvidence } from "../../../consensus/producerEvidence.ts";
export {
  type LightBlock,
  LightClient,
  type LightHead,
  type LightOptions,
  type LightState,
  type NodeReport,
  type SyncReport,
} from "./light.ts";
export { trustedGenesis } from "./trustedGenesis.ts";
