/** Shapes that the OpenAPI document shows; those of queries and paths are also what requests are checked by. */
import { z } from "zod";
import { BLOCK_PROOF_FORMAT } from "../../../consensus/blockProof.ts";
import { EVIDENCE_KINDS } from "../../../consensus/bft/evidence.ts";
import { PRODUCER_EVIDENCE_FORMAT } from "../../../consensus/producerEvidence.ts";
import { HEAD_PROOF_FORMAT } from "../../../consensus/headProof.ts";
import { PRODUCERS_PROOF_FORMAT } from "../../../consensus/producersProof.ts";
import { PROOF_FORMAT } from "../../../consensus/transactionProof.ts";
import { ENGINE_NAMES, PRODUCER_APPROVALS } from "../../../chain/genesis.ts";
import { BLOCKS_LIMIT, KV_LIMIT, WAIT_DEFAULT_MS, WAIT_MAX_MS } from "./limits.ts";

/** Answers by status, for the document only: nothing is checked or cut off by them. */
export function documented(answers: Readonly<Record<number, unknown>>): unknown {
  return answers;
}

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().min(min).max(max));

const flag = z.enum(["true", "false"]).transform((text) => text === "true");

export const hex = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits");
const count = z.number().int().min(0);
const height = count;
const time = count.describe("milliseconds since the epoch");
const base64url = z.string().describe("base64url");

export const errorSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), details: z.unknown().optional() }),
});

export const submitQuery = z.strictObject({
  wait: z.enum(["accepted", "included", "irreversible"]).default("accepted"),
  timeout: wholeNumber(0, WAIT_MAX_MS).default(WAIT_DEFAULT_MS).describe("milliseconds"),
});

export const blocksQuery = z.strictObject({
  from: wholeNumber(0, Number.MAX_SAFE_INTEGER).default(0),
  limit: wholeNumber(1, BLOCKS_LIMIT).default(20),
  transactions: flag.default(true).describe("false: without the transactions and receipts"),
});

export const streamQuery = z.strictObject({
  from: wholeNumber(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe("the first block told; above the head: waits for it. Without it: the next to become irreversible"),
  topic: z.string().min(1).optional().describe("kv: what a key begins with; other transactions are left out"),
  encoding: z.enum(["utf-8", "base64url"]).default("utf-8").describe("how the topic is written"),
});
export const streamHeaders = z.object({
  "last-event-id": z
    .string()
    .regex(/^\d{0,15}$/, "must be the id of an event, a height")
    .optional()
    .describe("resumes behind this event; wins over from"),
});

export const blockParams = z.object({
  ref: z
    .string()
    .regex(
      /^(?:head|irreversible|\d{1,15}|[0-9a-f]{8,64})$/,
      "must be a height, an id or at least 8 digits of one (lower-case hex), head or irreversible",
    ),
});

const at = z.enum(["irreversible", "head"]).default("irreversible");
const encoding = z.enum(["utf-8", "base64url"]).default("utf-8").describe("how keys of the request are written");

export const kvQuery = z.strictObject({ at, encoding, linearizable: flag.default(false) });
export const kvListQuery = z.strictObject({
  prefix: z.string().default(""),
  after: z.string().optional().describe("keys greater than this one only"),
  cursor: z.string().optional().describe("next of the answer before, as it was"),
  limit: wholeNumber(1, KV_LIMIT).default(100),
  at,
  encoding,
});

export const transactionParams = z.object({ id: hex });
export const transactionQuery = z.strictObject({ proof: flag.default(false) });
export const noQuery = z.strictObject({});

const bytesText = z.union([z.string(), z.object({ base64url: z.string() })]);
const operation = z.union([
  z.object({ put: z.object({ key: bytesText, value: bytesText }) }),
  z.object({ delete: z.object({ key: bytesText }) }),
  z.object({ compareAndSet: z.object({ key: bytesText, expectedVersion: height, value: bytesText }) }),
]);
const once = { nonce: z.string().optional().describe("32 hex digits"), expiresAt: time.optional() };

/** One transaction of the key-value application. */
export const transactionBody = z.union([
  z.intersection(operation, z.object(once)),
  z.array(operation).min(1),
  z.object({ operations: z.array(operation).min(1), ...once }),
]);

export const rawBytes = z.string().describe("raw bytes").meta({ format: "binary" });

const receipt = z.union([
  z.object({ ok: z.boolean(), version: height, failedOperation: count.optional() }),
  z.object({ ok: z.boolean(), code: z.string().optional() }).describe("of a change of the producer set"),
  base64url,
]);

const producerEntry = z.object({ key: hex, name: z.string(), address: z.string() });
const producerChange = z.object({
  base: hex.describe("hash of the set that is replaced"),
  changesBefore: count.describe("changes that the chain has seen before"),
  producers: z.array(producerEntry).describe("the set to come"),
  approvedBy: z.array(hex),
});

export const resultSchema = z.object({
  id: hex,
  status: z.enum(["accepted", "included", "irreversible"]),
  height: height.optional(),
  index: count.optional(),
  receipt: receipt.optional(),
});

export const transactionSchema = z.object({
  id: hex,
  index: count,
  bytes: base64url,
  nonce: z.string(),
  expiresAt: time,
  payload: base64url,
  author: hex.optional(),
  signature: base64url.optional(),
  operations: z.array(operation).optional(),
  producerChange: producerChange.optional().describe("in place of anything of the application's"),
});

const path = z.array(hex).describe("hashes of siblings, lowest first");
const proofSchema = z.object({
  format: z.literal(PROOF_FORMAT),
  chainId: hex,
  id: hex,
  height,
  index: count,
  count: count.describe("transactions of the block"),
  transaction: base64url,
  transactionPath: path,
  receipt: base64url,
  receiptPath: path,
  countPeaks: z.array(z.object({ receipt: base64url, path })),
  header: base64url,
  historyPath: path,
  certificate: base64url,
});

const certifiedMembers = { chainId: hex, historyPath: path, certificate: base64url };

export const blockProofSchema = z.object({
  format: z.literal(BLOCK_PROOF_FORMAT),
  height,
  header: base64url,
  ...certifiedMembers,
});

export const headProofQuery = z.strictObject({ from: wholeNumber(0, Number.MAX_SAFE_INTEGER).default(0) });
export const headProofSchema = z.object({
  format: z.literal(HEAD_PROOF_FORMAT),
  from: height,
  fromHeader: base64url,
  consistencyPath: path,
  ...certifiedMembers,
});

export const producersProofQuery = z.strictObject({ above: wholeNumber(0, Number.MAX_SAFE_INTEGER).default(0) });
export const producersProofSchema = z.object({
  format: z.literal(PRODUCERS_PROOF_FORMAT),
  chainId: hex,
  above: height,
  changes: z.array(
    z.object({
      header: base64url.describe("of the block that began the change"),
      producers: z.array(hex).describe("keys of the set to come"),
      historyPath: path,
      certificate: base64url,
    }),
  ),
});

export const transactionStateSchema = z.object({
  id: hex,
  status: z.enum(["pending", "included", "irreversible"]),
  height: height.optional(),
  index: count.optional(),
  blockId: hex.optional(),
  receipt: receipt.optional(),
  transaction: transactionSchema.omit({ id: true, index: true }).optional(),
  proof: proofSchema.optional().describe("with proof=true; docs/proofs.md says how it is checked"),
});

const headerSchema = z.object({
  height,
  parent: hex,
  view: count,
  producer: hex,
  time,
  transactionRoot: hex,
  receiptRoot: hex,
  stateHash: hex,
  historyRoot: hex,
  irreversibleHeight: height,
  config: hex,
  nextConfig: hex.optional(),
  closing: z.boolean(),
  entryHash: hex.optional(),
  proofHash: hex.optional(),
});

export const blockSchema = z.object({
  height,
  id: hex,
  status: z.enum(["pending", "irreversible"]),
  header: headerSchema,
  signature: base64url.describe("the producer's, of the id"),
  entry: base64url
    .optional()
    .describe("bft, of a block that opens a view: why it may; message Entry of proto/bft.proto"),
  nextProducers: z.array(hex).optional().describe("keys of the producer set that the block proposes, in their order"),
  proof: base64url
    .optional()
    .describe(
      "bft, of a block that says a greater irreversibleHeight than its parent: the commit certificate of that height, message QuorumCertificate",
    ),
  certificate: base64url
    .nullable()
    .describe(
      "the first at or above this height: message IrreversibilityCertificate of proto/consensus.proto, under bft a commit certificate, message QuorumCertificate of proto/bft.proto",
    ),
  transactionCount: count,
  transactions: z.array(transactionSchema).optional(),
  receipts: z.array(receipt).nullable().optional(),
});

export const blocksSchema = z.object({
  blocks: z.array(blockSchema),
  next: height.nullable().describe("from of the next request; null at the head"),
});

export const forkSchema = z.object({
  height,
  id: hex,
  parent: hex,
  view: count,
  producer: hex,
  time,
  transactions: count,
  isHead: z.boolean(),
  onBestChain: z.boolean(),
  invalid: z.string().optional(),
  children: z.array(z.unknown()).describe("of the same shape"),
});

export const kvSchema = z.object({
  key: bytesText,
  value: base64url,
  text: z.string().optional().describe("the value, when it is UTF-8"),
  version: height.describe("height of the last write"),
  height: height.describe("of the state that was read"),
});
export const kvListSchema = z.object({
  entries: z.array(kvSchema.omit({ height: true })),
  height,
  more: z.boolean(),
  next: z.string().nullable().describe("cursor of the next request; null at the end"),
});

export const statusSchema = z.object({
  chainId: hex,
  name: z.string(),
  node: z.object({
    id: hex,
    key: hex,
    name: z.string(),
    role: z.enum(["producer", "follower"]),
    version: z.string(),
  }),
  consensus: z.object({
    engine: z.enum(ENGINE_NAMES),
    view: count,
    leader: hex.nullable(),
    producers: z.array(z.object({ name: z.string(), key: hex })),
    faulty: z.array(hex).describe("producers of which no signed message came for 10 s, or that evidence names"),
    status: z.enum(["leader", "follower", "candidate", "recovering", "observer", "halted"]),
  }),
  head: z.object({ height, id: hex, view: count, time }),
  irreversible: z.object({ height, id: hex, time }),
  sync: z.object({
    state: z.enum(["searching", "syncing", "synced"]),
    target: height,
    rate: z.number().describe("blocks a second"),
    timeLeftSeconds: z.number().int().optional().describe("while syncing: until the target, at this rate"),
    stalledBecause: z.string().optional(),
  }),
  peers: count,
  mempool: z.object({ count: count, bytes: count }),
});

const laneSchema = z.object({
  queuedBytes: count,
  bytesIn: z.number(),
  bytesOut: z.number(),
  framesIn: z.number(),
  framesOut: z.number(),
  drops: count.describe("messages dropped at the lane's cap"),
  creditWaits: count.describe("times that data waited for the peer's credit"),
});

export const producersSchema = z.object({
  producers: z.array(
    z.object({
      key: hex,
      name: z.string(),
      address: z.string(),
      state: z.enum(["self", "active", "faulty", "stopped"]),
      since: z.number().optional().describe("when that began, ms since the epoch"),
      heardAt: z.number().optional().describe("when a signed message of it came last"),
      because: z.string().optional().describe("of a faulty one: silent, or what it did"),
    }),
  ),
  config: hex.describe("hash of the set in force, as headers name it"),
  activeFrom: height.describe("the first block that it decides about"),
  changes: count.describe("changes that were begun"),
  approval: z.object({
    rule: z.enum(PRODUCER_APPROVALS),
    needed: count.describe("producers of the set in force that must approve what replaces it"),
  }),
  change: z
    .object({
      height: height.describe("of the block that proposes it"),
      irreversible: z.boolean().describe("that block; the change ends with the first block that says so"),
      producers: z.array(producerEntry),
    })
    .nullable()
    .describe("under way: quorums of both sets decide"),
});

const statement = z.object({
  what: z.enum(["block", "prepare", "commit", "viewChange"]),
  view: count.describe("of the block; of a view change: the view that is asked for"),
  height: height.describe("of the block; of a view change: of the block that it reports"),
  id: hex,
  reportedView: count.optional().describe("of a view change: the view of the block that it reports"),
  digest: hex.describe("the bytes that are signed"),
  signature: base64url.describe("Ed25519, by the producer"),
});

export const evidenceSchema = z.object({
  evidence: z
    .array(
      z.object({
        format: z.literal(PRODUCER_EVIDENCE_FORMAT),
        chainId: hex,
        kind: z.enum(EVIDENCE_KINDS),
        producer: hex.describe("the accused"),
        view: count,
        height,
        first: statement,
        second: statement,
        evidence: base64url.describe("message Evidence of proto/bft.proto"),
      }),
    )
    .describe("at most one of each producer and kind"),
});

export const peersSchema = z.object({
  peers: z.array(
    z.object({
      key: hex,
      name: z.string(),
      role: z.enum(["producer", "follower"]),
      address: z.string(),
      addressFrom: z
        .enum(["configured", "learned"])
        .optional()
        .describe("of the address that was dialed: given to the node, or told by other nodes; absent: the peer dialed"),
      direction: z.enum(["inbound", "outbound"]),
      rttMs: z.number().optional(),
      connectedAt: time,
      state: z.enum(["up", "slowed"]),
      score: z.number().describe("of its faults, decaying; at 50 it is slowed, at 100 a non-producer loses its link"),
      faulty: z.boolean().describe("a producer of which no signed message comes, or that evidence names"),
      off: z.boolean(),
      lanes: z.object({ urgent: laneSchema, chain: laneSchema, bulk: laneSchema }),
      phase: z.string(),
      height: height.optional(),
      bytesIn: z.number(),
      bytesOut: z.number(),
    }),
  ),
  off: z
    .array(z.object({ key: hex, name: z.string().optional().describe("of a producer") }))
    .describe("peers to which the operator switched links off, oldest decision first"),
});
export const routesSchema = z.object({
  routes: z.array(
    z.object({
      producer: hex,
      name: z.string(),
      via: hex
        .nullable()
        .describe("the neighbour that messages go to, perhaps the producer itself; null: no way is known"),
      metric: z.number().nullable().describe("of the route in use, milliseconds"),
      seqno: z.string().nullable().describe("of the route in use, 16 hex digits"),
      candidates: z
        .array(z.object({ via: hex, metric: z.number(), feasible: z.boolean() }))
        .describe("all that neighbours told"),
    }),
  ),
});
export const peerParams = z.object({ peer: hex.describe("the peer's key") });
export const peerOffSchema = z.object({ key: hex, off: z.boolean() });

export const rejectionSchema = z.object({ id: hex, rejected: z.boolean() });
export const rejectedSchema = z.object({ rejected: z.array(hex).describe("ids, oldest decision first") });

export const genesisSchema = z.looseObject({
  name: z.string(),
  time,
  engine: z.enum(ENGINE_NAMES),
  producers: z.array(z.looseObject({ name: z.string(), key: hex, address: z.string() })),
  application: z.looseObject({ name: z.string() }),
});

export const healthSchema = z.object({ status: z.string() });
