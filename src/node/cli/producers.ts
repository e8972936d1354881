/** `cairn producers show|propose|approve`. */
import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GENESIS_DEFAULTS, NONCE_BYTES, SIGNATURE_BYTES } from "../../../chain/constants.ts";
import { CHANGE_REFUSALS, type ProducerEntry } from "../../../chain/producerChange.ts";
import { encodeTransaction, transactionClaim, type Transaction } from "../../../chain/transaction.ts";
import { headerMessage } from "../../../chain/header.ts";
import type { ProducersProof } from "../../../consensus/producersProof.ts";
import { fromBase64Url } from "../../base/base64url.ts";
import { fromUtf8 } from "../../base/bytes.ts";
import type { Producers } from "../../client/answers.ts";
import type { EngineStatus } from "../../../consensus/engine.ts";
import { type CairnClient, ClientError } from "../../client/index.ts";
import { isListOf, isObject, isText } from "../../client/shape.ts";
import { NODE_FILES } from "../directory.ts";
import { readGenesisFile } from "../genesisFile.ts";
import { type NodeKey, readNodeKey } from "../keys.ts";
import {
  approved,
  merged,
  parseProposal,
  payloadOf,
  PROPOSAL_MAX_BYTES,
  type ProposalFile,
  proposalText,
  tally,
} from "../proposalFile.ts";
import { whyNotRead, whyNotWritten } from "../systemError.ts";
import { writeWhole } from "../wholeFile.ts";
import { answerOf, type ClientFlags, clientOf, get, urlsOf } from "./client.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { quorumFaults } from "./liveQuorum.ts";
import { isAnyAsked, proposedSet, type SetFlags } from "./proposedSet.ts";
import { colour, fields, print, printable, printError, printJson, shortId, table } from "./terminal.ts";

export interface ProposeFlags extends ClientFlags, SetFlags {
  readonly approve?: readonly string[];
  readonly out?: string;
  readonly force?: boolean;
}

/** The change ends with the next blocks; a network that decides nothing is not waited for any longer. */
const ACTIVE_WITHIN_MS = 60_000;
const ASK_EVERY_MS = 100;
const SUBMIT_MS = 30_000;
const OWN_WORD_MS = 3_000;

export async function producersShowCommand(flags: ClientFlags): Promise<ExitStatus> {
  const answer = await answerOf(clientOf(flags).producers());
  if (flags.json) printJson(answer);
  else print(setText(answer));
  return EXIT.ok;
}

function setText({ producers, config, activeFrom, changes, approval, change }: Producers): string {
  const next = new Set(change?.producers.map(({ key }) => key));
  const rows = producers.map(({ key, name, address, state }) => [
    printable(name) || "-",
    key,
    printable(address) || "-",
    state,
    change === null || next.has(key) ? "" : "leaves",
  ]);
  const known = new Set(producers.map(({ key }) => key));
  for (const { key, name, address } of change?.producers.filter((each) => !known.has(each.key)) ?? []) {
    rows.push([printable(name) || "-", key, printable(address) || "-", "-", "joins"]);
  }
  const lines: [string, string][] = [
    ["set", `${shortId(config)}, in force from block ${activeFrom}, changes begun: ${changes}`],
    ["approval", `${approval.rule}: ${approval.needed} must approve a change`],
  ];
  if (change !== null) lines.push(["change", changeText(change)]);
  return `${table(["NAME", "KEY", "ADDRESS", "STATE", ""], rows)}\n\n${fields(lines)}`;
}

function changeText({ height, irreversible }: NonNullable<Producers["change"]>): string {
  const state = irreversible ? "irreversible; ends with the next block that says so" : "not irreversible yet";
  return `proposed at block ${height}, joint; ${state}`;
}

/** Prints proofs of all changes, each going on from the one before, as JSON; nothing is checked here. */
export async function producersProveCommand(flags: ClientFlags): Promise<ExitStatus> {
  const proofs: ProducersProof[] = [];
  for (let above = 0; ;) {
    const proof = await get(flags, `/v1/proofs/producers?above=${above}`, isProof);
    const heights = proof.changes.map(({ header }) => heightOf(header));
    const last = heights.at(-1);
    if (last === undefined || last <= above) break;
    proofs.push(proof);
    above = last;
  }
  printJson(proofs);
  return EXIT.ok;
}

/** As far as it is looked at here. */
function isProof(value: unknown): value is ProducersProof {
  return isObject(value) && isListOf(value["changes"], isChange);
}

function isChange(value: unknown): value is unknown {
  return isObject(value) && isText(value["header"]);
}

function heightOf(header: string): number {
  const decoded = headerMessage.decode(fromBase64Url(header) ?? new Uint8Array(0));
  if (!decoded.ok) throw new CliError(EXIT.no, "the node's proof holds what is no header");
  return decoded.value.height;
}

/** Signs a proposal with the key of a node's directory. */
export function producersApproveCommand(
  file: string,
  dir: string,
  flags: { readonly out?: string; readonly json?: boolean },
): ExitStatus {
  const proposal = readProposal(file);
  const signed = approved(proposal, keyFor(dir, proposal.chainId));
  const out = flags.out ?? file;
  writeProposal(out, signed);
  if (flags.json) printJson({ file: out, approvals: signed.approvals.map(({ producer }) => producer) });
  else {
    print(entryTable(signed.proposal.producers));
    print(`\napproved: this set in place of ${shortId(signed.proposal.base)}, on chain ${shortId(signed.chainId)}`);
    print(`${out} has ${signed.approvals.length} approval(s): pass it on, or submit it with:`);
    print(`  cairn producers propose --approve ${out}`);
  }
  return EXIT.ok;
}

export async function producersProposeCommand(dirs: readonly string[], flags: ProposeFlags): Promise<ExitStatus> {
  const client = clientOf(flags);
  const { chainId, consensus, head } = await answerOf(client.status());
  const now = await answerOf(client.producers());
  if (now.change !== null) {
    const why = `a change is under way, ${changeText(now.change)}; wait until cairn producers show tells that it is done`;
    throw new CliError(EXIT.no, why);
  }
  const keys = dirs.map((dir) => keyFor(dir, chainId));
  const proposal = keys.reduce(approved, gathered(now, chainId, flags));
  const peers = await answerOf(client.peers());
  const faults = quorumFaults(proposal.proposal.producers, {
    engine: consensus.engine,
    producers: now,
    peers,
    head: head.height,
    ownWords: await ownWords(flags),
  });
  if (faults.length > 0 && flags.force !== true) {
    const why = faults.map((fault) => `no quorum would be left: ${fault}`).join("\n");
    throw new CliError(
      EXIT.no,
      `${why}\nThe chain could stand still. Start what is missing first, or insist with --force`,
    );
  }
  for (const fault of faults) printError(colour("yellow", `cairn: no quorum, as this node sees it: ${fault}`));
  if (tally(proposal, now.producers).have < now.approval.needed) return awaitApprovals(proposal, now, flags);
  return submit(client, proposal, keys[0], flags);
}

/** What each node that is named says of itself. One that does not answer says nothing: others tell whether it is up. */
async function ownWords(flags: ClientFlags): Promise<ReadonlyMap<string, EngineStatus>> {
  const said = urlsOf(flags).map(async (url) => {
    const status = await clientOf({ ...flags, url })
      .status({ timeoutMs: OWN_WORD_MS })
      .catch((error: unknown) => {
        if (error instanceof ClientError) return undefined;
        throw error;
      });
    return status === undefined ? [] : [[status.node.key, status.consensus.status] as const];
  });
  return new Map((await Promise.all(said)).flat());
}

/** The proposal of the flags or of the files, with the files' approvals. */
function gathered(now: Producers, chainId: string, flags: ProposeFlags): ProposalFile {
  const files = (flags.approve ?? []).map((file) => ({ file, proposal: readProposal(file) }));
  const asked = isAnyAsked(flags);
  const [first] = files;
  if (!asked && first === undefined) {
    throw new CliError(EXIT.usage, "what is to change? --add, --remove, --replace, or --approve FILE with a proposal");
  }
  const current = now.producers.map(({ key, name, address }): ProducerEntry => ({ key, name, address }));
  const base = { base: now.config, changesBefore: now.changes };
  const start: ProposalFile =
    asked || first === undefined
      ? { chainId, proposal: { ...base, producers: proposedSet(current, flags) }, approvals: [] }
      : { ...first.proposal, approvals: [] };
  return files.reduce((whole, { file, proposal }) => {
    if (proposal.chainId !== chainId)
      throw new CliError(EXIT.usage, `${file} is for chain ${proposal.chainId}, the node has chain ${chainId}`);
    if (proposal.proposal.base !== now.config || proposal.proposal.changesBefore !== now.changes) {
      const why = `${file} was made for another set than is in force: the set has changed since. Make a new proposal`;
      throw new CliError(EXIT.no, why);
    }
    const both = merged(whole, proposal);
    if (both === undefined) throw new CliError(EXIT.usage, `${file} approves another set than is proposed`);
    return both;
  }, start);
}

function awaitApprovals(file: ProposalFile, now: Producers, flags: ProposeFlags): ExitStatus {
  const out = flags.out ?? "proposal.json";
  if (flags.out === undefined && existsSync(out) && !(flags.approve ?? []).includes(out)) {
    throw new CliError(
      EXIT.usage,
      `${out} exists already; remove it when its change is done or given up, or name another file with --out`,
    );
  }
  writeProposal(out, file);
  const { needed } = now.approval;
  const { have, open, foreign } = tally(file, now.producers);
  if (flags.json) {
    const approvals = { have, needed };
    printJson({ status: "approvals missing", file: out, approvals, open: open.map(({ key }) => key), foreign });
    return EXIT.ok;
  }
  print(entryTable(file.proposal.producers));
  print(`\n${have} of ${needed} approvals; nothing was submitted. ${needed - have} more of these must approve:`);
  for (const { key, name } of open) print(`  ${printable(name) || "-"}  ${key}`);
  for (const key of foreign) print(`not counted, the approval of ${key}: it is no producer of the set in force`);
  print(`each with:  cairn producers approve ${out} DIR`);
  print(`then:       cairn producers propose --approve ${out}`);
  return EXIT.ok;
}

async function submit(
  client: CairnClient,
  file: ProposalFile,
  author: NodeKey | undefined,
  flags: ProposeFlags,
): Promise<ExitStatus> {
  const note = (text: string): void => void (flags.json || print(text));
  const bytes = transactionOf(file, author, await answerOf(client.genesis()));
  const outcome = await answerOf(client.submit(client.prepare(bytes), { timeoutMs: SUBMIT_MS }));
  if (outcome.status !== "irreversible") {
    const why = "message" in outcome ? `: ${outcome.message} (${outcome.code})` : "";
    throw new CliError(EXIT.no, `the change was not made: transaction ${outcome.id} is ${outcome.status}${why}`);
  }
  const { id, height, receipt } = outcome;
  if (typeof receipt === "object" && !receipt.ok) {
    const code = receipt.code ?? "";
    if (flags.json) printJson({ status: "refused", id, height, code });
    throw new CliError(
      EXIT.no,
      `the change was not made: ${(CHANGE_REFUSALS as Readonly<Record<string, string>>)[code] ?? code} (${code}, block ${height})`,
    );
  }
  note(`proposed at block ${height}, joint; irreversible`);
  const activeFrom = await awaitActive(client, height);
  const { producers } = file.proposal;
  if (flags.json)
    printJson({ status: activeFrom === undefined ? "joint" : "active", id, height, activeFrom, producers });
  if (activeFrom === undefined) {
    const why = "the new set is not active yet; cairn producers show tells how far it is";
    if (!flags.json) printError(colour("yellow", `cairn: ${why}`));
    return EXIT.no;
  }
  note(`new set active from block ${activeFrom}`);
  return EXIT.ok;
}

/**
 * The first block of the new set, once the one before it, which ends the change, is irreversible: a quorum of the new set is
 * there. undefined: not within the time.
 */
async function awaitActive(client: CairnClient, proposedAt: number): Promise<number | undefined> {
  for (const until = Date.now() + ACTIVE_WITHIN_MS; Date.now() < until; await sleep(ASK_EVERY_MS)) {
    const { activeFrom } = await answerOf(client.producers());
    if (activeFrom <= proposedAt) continue;
    const { irreversible } = await answerOf(client.status());
    if (irreversible.height >= activeFrom - 1) return activeFrom;
  }
  return undefined;
}

/** Signed by its submitter only where the chain asks for that. */
function transactionOf(
  file: ProposalFile,
  author: NodeKey | undefined,
  genesis: Readonly<Record<string, unknown>>,
): Uint8Array {
  const { signaturesRequired = false, expiryAheadMs = GENESIS_DEFAULTS.expiryAheadMs } = (genesis["limits"] ?? {}) as {
    readonly signaturesRequired?: boolean;
    readonly expiryAheadMs?: number;
  };
  const unsigned: Transaction = {
    payload: payloadOf(file),
    nonce: Uint8Array.from(randomBytes(NONCE_BYTES)),
    expiresAt: Date.now() + Math.min(SUBMIT_MS, expiryAheadMs),
  };
  if (!signaturesRequired) return encodeTransaction(unsigned);
  if (author === undefined) {
    throw new CliError(
      EXIT.usage,
      "this chain takes signed transactions only: name a node's directory, whose key signs",
    );
  }
  const draft = { ...unsigned, author: author.publicKey, signature: new Uint8Array(SIGNATURE_BYTES) };
  const claim = transactionClaim(file.chainId, encodeTransaction(draft), draft);
  if (claim === undefined) throw new Error("a signed transaction has a claim");
  return encodeTransaction({ ...draft, signature: author.sign(claim.digest) });
}

/** The key of a directory whose chain it is. */
function keyFor(dir: string, chainId: string): NodeKey {
  const genesis = readGenesisFile(join(dir, NODE_FILES.genesis));
  if (!genesis.ok) throw new CliError(EXIT.unreachable, genesis.error.message);
  if (genesis.value.chainId !== chainId)
    throw new CliError(EXIT.usage, `${dir} is of chain ${genesis.value.chainId}, the proposal is for chain ${chainId}`);
  const key = readNodeKey(join(dir, NODE_FILES.key));
  if (!key.ok) throw new CliError(EXIT.unreachable, key.error.message);
  return key.value;
}

function readProposal(file: string): ProposalFile {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new CliError(EXIT.unreachable, whyNotRead(file, error));
  }
  const text = bytes.length > PROPOSAL_MAX_BYTES ? undefined : fromUtf8(bytes);
  const parsed = text === undefined ? undefined : parseProposal(text);
  if (parsed?.ok === true) return parsed.value;
  throw new CliError(EXIT.unreachable, `${file}: ${parsed?.error ?? "is no proposal: not UTF-8 text, or too long"}`);
}

function writeProposal(file: string, proposal: ProposalFile): void {
  try {
    const text = proposalText(proposal);
    // Approvals that were collected are not lost to a full disk. A device is written as it is.
    if (lstatSync(file, { throwIfNoEntry: false })?.isFile() ?? true) writeWhole(file, text);
    else writeFileSync(file, text);
  } catch (error) {
    throw new CliError(EXIT.unreachable, whyNotWritten(file, error));
  }
}

function entryTable(entries: readonly ProducerEntry[]): string {
  const rows = entries.map(({ key, name, address }) => [printable(name) || "-", key, printable(address) || "-"]);
  return table(["NAME", "KEY", "ADDRESS"], rows);
}
