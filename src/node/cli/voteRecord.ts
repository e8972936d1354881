/** A vote record for people and programs: what a producer of this engine has promised. */
import type { BlockRef } from "../../../chain/header.ts";
import type { EngineRecord } from "../../../consensus/engines.ts";
import { toBase64Url } from "../../base/base64url.ts";
import type { VoteRecord } from "../chainDirectory.ts";
import { colour, fields, printable, shortId } from "./terminal.ts";

export type VoteRecordJson = ReturnType<typeof voteRecordJson>;

export function voteRecordJson(vote: VoteRecord) {
  if (vote.verdict !== "ok") return { verdict: vote.verdict };
  const { engine, content } = vote.record;
  if (engine === "raft") return { verdict: "ok" as const, engine, ...content };
  if (engine === "vsr") return { verdict: "ok" as const, engine, ...content };
  const { highQcBytes, ...rest } = content;
  return { verdict: "ok" as const, engine, ...rest, highQcCertificate: toBase64Url(highQcBytes) };
}

/** One line. */
export function voteRecordLine(vote: VoteRecordJson): string {
  if (vote.verdict !== "ok") return damagedText(vote.verdict);
  const held = `acknowledged ${vote.ackedHead.height} ${shortId(vote.ackedHead.id)}`;
  if (vote.engine === "raft") {
    const votedFor = vote.votedFor === undefined ? "no vote in it" : `voted for ${shortId(vote.votedFor)}`;
    return `view ${vote.view}, ${votedFor}, ${held}`;
  }
  if (vote.engine === "vsr") return `view ${vote.view}, ${held}`;
  const committed = vote.lastCommitted === undefined ? "nothing committed" : `committed ${vote.lastCommitted.height}`;
  return `view ${vote.view}, ${committed}, ${held}`;
}

export function voteRecordText(vote: VoteRecord, names: ReadonlyMap<string, string>): string {
  return vote.verdict === "ok" ? fields(fieldsOf(vote.record, names)) : damagedText(vote.verdict);
}

function fieldsOf({ engine, content }: EngineRecord, names: ReadonlyMap<string, string>): [string, string][] {
  const { view, ackedHead } = content;
  if (engine === "raft") {
    const { votedFor } = content;
    const whom = votedFor === undefined ? "nobody in this view" : `${printable(names.get(votedFor) ?? "")} ${votedFor}`;
    return [
      ["view", String(view)],
      ["voted for", whom],
      ["acknowledged", refText(ackedHead)],
    ];
  }
  if (engine === "vsr") {
    return [
      ["view", String(view)],
      ["acknowledged", refText(ackedHead)],
    ];
  }
  const { viewChangeSent, lastPrepared, lastCommitted, highQc } = content;
  return [
    ["view", String(view)],
    ["view change", viewChangeSent === 0 ? "never asked for" : `asked for view ${viewChangeSent}`],
    ["prepared", refText(lastPrepared)],
    ["committed", refText(lastCommitted)],
    ["certified", refText(highQc)],
    ["acknowledged", refText(ackedHead)],
  ];
}

function refText(ref: BlockRef | undefined): string {
  return ref === undefined ? "nothing" : `height ${ref.height} of view ${ref.view}, block ${ref.id}`;
}

function damagedText(verdict: string): string {
  return colour("red", `the vote record is ${verdict}: this node must not vote before it has recovered`);
}
