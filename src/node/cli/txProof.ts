/** `cairn tx show ID --proof`, `cairn tx verify FILE|- --genesis FILE`. */
import { checkTransactionProof, type ProvenTransaction } from "../../../consensus/transactionProof.ts";
import type { TrustedGenesis } from "../../../consensus/proofMembers.ts";
import { fromUtf8, toHex } from "../../base/bytes.ts";
import { Trust } from "../../client/light/trust.ts";
import { isObject } from "../../client/shape.ts";
import { operationsJson, receiptJson } from "../http/kvText.ts";
import { type GenesisFile, readGenesisFile, toGenesis } from "../genesisFile.ts";
import { verifySignatures } from "../signatures.ts";
import { decodeTransaction } from "../../../chain/transaction.ts";
import { ask, type ClientFlags, errorOf, refusal } from "./client.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { nameOfInput, readInput } from "./input.ts";
import { colour, fields, print, printable, printJson, timeText } from "./terminal.ts";

/** A proof is some kilobytes; of the largest transaction it is a little more than that. */
const PROOF_FILE_MAX_BYTES = 16 * 1024 * 1024;

/** Prints what the node knows with the proof, always as JSON: it is for a file. */
export async function txProofCommand(id: string, flags: ClientFlags): Promise<ExitStatus> {
  const isProof = (value: unknown): value is unknown =>
    isObject(value) && value["id"] === id && isObject(value["proof"]);
  const answer = await ask(flags, `/v1/transactions/${id}?proof=true`, isProof);
  if (answer.status === 200) {
    printJson(answer.body);
    return EXIT.ok;
  }
  const error = errorOf(answer.body);
  if (error === undefined || (answer.status !== 404 && answer.status !== 409)) throw refusal(answer);
  if (flags.json) printJson(answer.body);
  throw new CliError(EXIT.no, error.message);
}

export interface TxVerifyFlags {
  readonly genesis: string;
  /** Proofs of the changes of the producer set, as `cairn producers prove` prints them. */
  readonly producers?: string;
  readonly json?: boolean;
}

export async function txVerifyCommand(file: string, flags: TxVerifyFlags): Promise<ExitStatus> {
  const genesis = readGenesisFile(flags.genesis);
  if (!genesis.ok) throw new CliError(EXIT.unreachable, genesis.error.message);
  const trust = new Trust(toGenesis(genesis.value));
  if (flags.producers !== undefined) {
    const why = await trust.learnAll(await readJson(flags.producers));
    if (why !== undefined) throw new CliError(EXIT.no, `${flags.producers} does not hold: ${why}`);
  }
  const verdict = await verdictOn(proofIn(await readJson(file)), trust.genesis);
  if (flags.json) printJson(verdict.ok ? shownJson(verdict.proven, genesis.value) : verdict);
  else print(verdict.ok ? provenText(verdict.proven, genesis.value) : colour("red", `not proven: ${verdict.why}`));
  return verdict.ok ? EXIT.ok : EXIT.no;
}

type Verdict =
  | { readonly ok: true; readonly proven: ProvenTransaction }
  | { readonly ok: false; readonly field: string; readonly why: string };

async function verdictOn(value: unknown, genesis: TrustedGenesis): Promise<Verdict> {
  const checked = checkTransactionProof(value, genesis);
  if (!checked.ok) {
    const { code, field, detail } = checked.error;
    const hint = "; give --producers, what cairn producers prove prints, where the set has changed";
    return { ok: false, field, why: `${field} ${detail}${code === "PRODUCERS_UNKNOWN" ? hint : ""}` };
  }
  const valid = await verifySignatures(checked.value.claims);
  const forged = checked.value.claims[valid.indexOf(false)];
  if (forged === undefined) return { ok: true, proven: checked.value };
  return { ok: false, field: "certificate", why: `certificate: a signature in it is not of producer ${forged.key}` };
}

/** The proof itself, or an answer that holds it. */
function proofIn(value: unknown): unknown {
  return typeof value === "object" && value !== null && "proof" in value ? value.proof : value;
}

async function readJson(file: string): Promise<unknown> {
  const name = nameOfInput(file);
  const bytes = await readInput(file);
  const text = bytes.length > PROOF_FILE_MAX_BYTES ? undefined : fromUtf8(bytes);
  try {
    if (text === undefined) throw new Error("it is not UTF-8 text of at most 16 MiB");
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CliError(EXIT.no, `${name} holds no proof: ${(error as Error).message}`);
  }
}

function shownJson(proven: ProvenTransaction, genesis: GenesisFile) {
  const { id, height, index, blockId, certifiedHeight, header, receipt, claims } = proven;
  const isKv = genesis.application.name === "kv";
  return {
    ok: true,
    id,
    height,
    index,
    blockId,
    time: header.time,
    certifiedHeight,
    signers: claims.map(({ key }) => key),
    receipt: receiptJson(receipt, isKv),
  };
}

function provenText(proven: ProvenTransaction, genesis: GenesisFile): string {
  const { id, height, index, blockId, certifiedHeight, header, receipt, transaction, claims } = proven;
  const decoded = decodeTransaction(transaction);
  const isKv = genesis.application.name === "kv";
  const does = decoded.ok
    ? isKv
      ? JSON.stringify(operationsJson(decoded.value.payload))
      : toHex(decoded.value.payload)
    : "does not decode";
  const nameOf = (key: string): string => genesis.producers.find((each) => each.key === key)?.name ?? key;
  return `${colour("green", "proven")}: transaction ${id} is irreversible\n\n${fields([
    ["chain", `${printable(genesis.name)} (${genesis.chainId})`],
    ["place", `height ${height}, index ${index}`],
    ["block", `${blockId}, ${timeText(header.time)}`],
    ["does", printable(does)],
    ["receipt", printable(JSON.stringify(receiptJson(receipt, isKv)))],
    ["certified", `at height ${certifiedHeight} by ${claims.map(({ key }) => printable(nameOf(key))).join(", ")}`],
  ])}`;
}
