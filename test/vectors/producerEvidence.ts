/** Vectors of `cairn-producer-evidence-1`: each kind, and what is none. */
import { makeConfiguration } from "../../chain/configuration.ts";
import { headerMessage } from "../../chain/header.ts";
import { lookupOf } from "../../chain/producerSets.ts";
import { signingDigest } from "../../chain/signing.ts";
import { decodeEvidence, evidenceOfBlocks, evidenceOfReport, evidenceOfVotes } from "../../consensus/bft/evidence.ts";
import { type SignedVote, viewChangeDigest, voteDigest } from "../../consensus/bft/messages.ts";
import { producerEvidence } from "../../consensus/producerEvidence.ts";
import { hexBytes, utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import type { NodeKey } from "../../src/node/keys.ts";
import { PRODUCER_KEYS } from "../../tools/inspect/makeChain.ts";
import type { ServedChain } from "../fixtures/lyingServer.ts";
import type { Proof, Vector } from "./make.ts";

const LIAR = PRODUCER_KEYS.bft[3] as NodeKey;
const OTHER = PRODUCER_KEYS.bft[2] as NodeKey;

/** @param chain under BFT, of which the last producer gives two accounts */
export function producerEvidenceCases(chain: ServedChain): Vector[] {
  const { chainId } = chain.genesis;
  const vectors: Vector[] = [];
  const add = (name: string, proof: Proof, shows?: Proof): void =>
    void vectors.push({
      name: `bft, against a producer: ${name}`,
      genesis: "bft",
      valid: shows !== undefined,
      ...(shows && { shows }),
      proof,
    });
  const holds = (name: string, bytes: Uint8Array): Proof => {
    const piece = pieceOf(chainId, bytes);
    const { kind, producer, view, height } = piece;
    add(name, piece, { kind, producer, view, height });
    return piece;
  };
  const headerOf = (height: number): Uint8Array => chain.viewAt(height)?.block.headerBytes ?? new Uint8Array(0);
  const vote = (height: number, id: string, commit = true): SignedVote => {
    const said = { view: 1, height, id };
    return { commit, vote: said, signature: Uint8Array.from(LIAR.sign(voteDigest(chainId, commit, said))) };
  };
  const signed = (time: number, key = LIAR) => {
    const header = headerMessage.decode(headerOf(5));
    if (!header.ok) throw new Error(header.error.detail);
    const headerBytes = headerMessage.encode({ ...header.value, producer: LIAR.publicKey, time });
    const signature = Uint8Array.from(key.sign(signingDigest("block", chainId, hexBytes(sha256Hex(headerBytes)))));
    return { headerBytes, signature };
  };
  const [a, b, x] = ["a", "b", "x"].map((name) => sha256Hex(utf8(name))) as [string, string, string];
  const report = (height: number) => {
    const said = { view: 2, highQc: { view: 1, height, id: x } };
    return { ...said, signature: Uint8Array.from(LIAR.sign(viewChangeDigest(chainId, said))) };
  };
  const of = (first: SignedVote, second: SignedVote, path: readonly Uint8Array[] = [], signer = LIAR): Uint8Array =>
    evidenceOfVotes(signer.publicKey, first, second, path);
  const block7 = sha256Hex(headerOf(7));
  const path = [headerOf(7), headerOf(6), headerOf(5)];

  const blocks = holds("two blocks at one place", evidenceOfBlocks(signed(5), signed(6)));
  holds("two commits at one place", of(vote(5, a), vote(5, b)));
  holds("two prepares at one place", of(vote(5, a, false), vote(5, b, false)));
  holds("commits on two branches", of(vote(5, a), vote(7, block7), path));
  const less = holds("less reported than was committed", evidenceOfReport(LIAR.publicKey, vote(5, a), report(4)));

  /** What stands beside `evidence` of what is none is as if it were one: that of another piece. */
  const none = (name: string, bytes: Uint8Array, like: Proof): void =>
    add(name, { ...like, evidence: Buffer.from(bytes).toString("base64url") });
  none("one block twice", evidenceOfBlocks(signed(5), signed(5)), blocks);
  none("a report of as much as was committed", evidenceOfReport(LIAR.publicKey, vote(5, a), report(5)), less);
  const judged = pieceOf(chainId, of(vote(5, a), vote(5, b)));
  none("commits on one branch", of(vote(5, sha256Hex(headerOf(5))), vote(7, block7), path), judged);
  none("a path that does not lead down to the other", of(vote(5, a), vote(7, block7), path.slice(0, 2)), judged);
  none("a prepare and a commit", of(vote(5, a), vote(5, b, false)), judged);
  none("nothing", new Uint8Array(0), judged);
  add("signed by another", pieceOf(chainId, evidenceOfBlocks(signed(5), signed(6, OTHER))));
  add("in another's name", pieceOf(chainId, of(vote(5, a), vote(5, b), [], OTHER)));
  const stranger = { ...judged, producer: "ab".repeat(32) };
  add("the accused is another beside it", stranger);
  add("another height beside it", { ...judged, height: 6 });
  add("another kind beside it", { ...judged, kind: "twoBlocks" });
  add("another chain", { ...judged, chainId: "00".repeat(32) });
  add("a member more", { ...judged, note: "" });
  vectors.push({ name: "raft, against a producer: there is none", genesis: "raft", valid: false, proof: judged });
  return vectors;

  function pieceOf(id: string, bytes: Uint8Array): ReturnType<typeof producerEvidence> & Proof {
    const decoded = decodeEvidence(
      bytes,
      id,
      lookupOf(makeConfiguration(PRODUCER_KEYS.bft.map(({ publicKey }) => publicKey))),
    );
    if (!decoded.ok) throw new Error(decoded.error.detail);
    return producerEvidence(id, decoded.value) as ReturnType<typeof producerEvidence> & Proof;
  }
}
