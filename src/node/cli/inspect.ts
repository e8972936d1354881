/** `cairn inspect (DIR|URL) summary|blocks|block REF|forks`. */
import { StorageError } from "../storage/types.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { drawForks } from "./forkTree.ts";
import { openSource, type ProducerChangeJson, type ShownBlock, type Source, type Summary } from "./inspectSource.ts";
import { inspectEvidence } from "./inspectEvidence.ts";
import { inspectExport } from "./inspectExport.ts";
import { inspectCertificates, inspectTx, inspectVotes } from "./inspectRecords.ts";
import { inspectVerify } from "./inspectVerify.ts";
import { wholeNumber } from "./numbers.ts";
import { fields, print, printable, printJson, shortId, table, timeText } from "./terminal.ts";
import { voteRecordLine } from "./voteRecord.ts";

export interface InspectFlags {
  readonly from?: string;
  readonly limit: string;
  readonly to?: string;
  readonly format?: string;
  readonly out?: string;
  readonly genesis?: string;
  readonly json?: boolean;
}

const WHATS = [
  "summary",
  "blocks",
  "block",
  "tx",
  "forks",
  "verify",
  "export",
  "certificates",
  "votes",
  "evidence",
] as const;
const BLOCKS_MAX = 100_000;
const REF = /^(?:head|irreversible|\d{1,15}|[0-9a-f]{8,64})$/;

export async function inspectCommand(
  where: string,
  what: string,
  ref: string | undefined,
  flags: InspectFlags,
): Promise<ExitStatus> {
  checkUsage(what, ref);
  try {
    if (what === "verify") return await inspectVerify(where, flags);
    const source = await openSource(where);
    try {
      return await show(source, what, ref, flags);
    } finally {
      source.close();
    }
  } catch (error) {
    if (error instanceof StorageError) throw new CliError(statusOf(error), error.message);
    throw error;
  }
}

function checkUsage(what: string, ref: string | undefined): void {
  if (!(WHATS as readonly string[]).includes(what)) {
    throw new CliError(EXIT.usage, `inspect ${what}: must be one of ${WHATS.join(", ")}`);
  }
  if (what === "tx") {
    if (ref !== undefined && /^[0-9a-f]{64}$/.test(ref)) return;
    throw new CliError(
      EXIT.usage,
      `inspect tx: ${ref ?? "ID is missing"}: a transaction's id is 64 lower-case hex digits`,
    );
  }
  if (what !== "block") {
    if (ref !== undefined) throw new CliError(EXIT.usage, `inspect ${what} takes no ${JSON.stringify(ref)}`);
  } else if (ref === undefined || !REF.test(ref)) {
    const given = ref === undefined ? "REF is missing" : `${ref} is no REF`;
    throw new CliError(
      EXIT.usage,
      `inspect block: ${given}: a height, an id or at least 8 digits of one, head or irreversible`,
    );
  }
}

/** Damage that was found by reading: the answer is no. What cannot be opened at all: 3. */
function statusOf({ code }: StorageError): ExitStatus {
  return code === "DAMAGED" || code === "TRUNCATED" ? EXIT.no : EXIT.unreachable;
}

async function show(source: Source, what: string, ref: string | undefined, flags: InspectFlags): Promise<ExitStatus> {
  switch (what) {
    case "summary":
      return showSummary(await source.summary(), flags);
    case "blocks":
      return showBlocks(source, flags);
    case "block":
      return showBlock(await source.block(ref ?? ""), ref ?? "", flags);
    case "tx":
      return inspectTx(source, ref ?? "", flags);
    case "export":
      return inspectExport(source, flags);
    case "certificates":
      return inspectCertificates(source, flags);
    case "votes":
      return inspectVotes(source, flags);
    case "evidence":
      return inspectEvidence(source, flags);
    default: {
      const forks = await source.forks();
      if (flags.json) printJson(forks);
      else print(drawForks(forks));
      return EXIT.ok;
    }
  }
}

function showSummary(summary: Summary, flags: InspectFlags): ExitStatus {
  if (flags.json) printJson(summary);
  else print(summaryText(summary));
  const isDamaged = summary.record !== null && summary.record.verdict !== "ok";
  return isDamaged ? EXIT.no : EXIT.ok;
}

function summaryText(summary: Summary): string {
  const { chainId, name, engine, application, producers, head, irreversible, firstHeight, branches } = summary;
  const lines: [string, string][] = [
    ["chain", `${printable(name)} (${chainId})`],
    ["engine", `${engine}, application ${printable(application)}`],
    ["producers", producers.map((producer) => `${printable(producer.name)} ${shortId(producer.key)}`).join(", ")],
    ...(summary.changes ?? []).map(({ height, activeFrom }): [string, string] => [
      "set changed",
      `by block ${height}, ${activeFrom === null ? "both sets decide" : `new set alone from block ${activeFrom}`}`,
    ]),
    ["head", `${head.height}  ${head.id}  view ${head.view}  ${timeText(head.time)}`],
    ["irreversible", `${irreversible.height}  ${irreversible.id}  ${timeText(irreversible.time)}`],
    ["branches", String(branches)],
  ];
  if (firstHeight !== null) lines.push(["first block", String(firstHeight)]);
  if (summary.record !== null) lines.push(["vote record", voteRecordLine(summary.record)]);
  if (summary.stateHeight !== undefined)
    lines.push(["state", summary.stateHeight === null ? "none" : `height ${summary.stateHeight}`]);
  if (summary.indexHeight !== undefined)
    lines.push(["index", summary.indexHeight === null ? "none" : `height ${summary.indexHeight}`]);
  for (const { name: file, bytes } of summary.files ?? []) lines.push([file, `${bytes} bytes`]);
  return fields(lines);
}

async function showBlocks(source: Source, flags: InspectFlags): Promise<ExitStatus> {
  const limit = wholeNumber("--limit", flags.limit, 1, BLOCKS_MAX);
  const from =
    flags.from === undefined
      ? Math.max(0, (await source.headHeight()) - limit + 1)
      : wholeNumber("--from", flags.from, 0, Number.MAX_SAFE_INTEGER);
  const blocks: ShownBlock[] = [];
  for await (const block of source.blocks(from, limit)) blocks.push(block);
  if (flags.json) printJson({ blocks });
  else print(table(["HEIGHT", "ID", "STATUS", "VIEW", "PRODUCER", "TIME", "TX"], blocks.map(blockRow)));
  return EXIT.ok;
}

function blockRow({ height, id, status, header, transactionCount }: ShownBlock): string[] {
  const { view, producer, time } = header;
  return [
    String(height),
    shortId(id),
    status,
    String(view),
    shortId(producer),
    timeText(time),
    String(transactionCount),
  ];
}

function showBlock(block: ShownBlock | "ambiguous" | undefined, ref: string, flags: InspectFlags): ExitStatus {
  if (block === undefined) throw new CliError(EXIT.no, `there is no block ${ref} here`);
  if (block === "ambiguous")
    throw new CliError(EXIT.no, `more than one block's id begins with ${ref}; give more digits`);
  if (flags.json) printJson(block);
  else print(blockText(block));
  return EXIT.ok;
}

function doesChange(change: ProducerChangeJson | undefined): unknown {
  return change && { producers: change.producers.map(({ name, key }) => name || shortId(key)) };
}

function blockText(block: ShownBlock): string {
  const { header, transactions = [], receipts } = block;
  const rows = transactions.map(({ id, index, operations, producerChange, payload }) => [
    String(index),
    shortId(id),
    printable(JSON.stringify(operations ?? doesChange(producerChange) ?? payload)).slice(0, 100),
    receipts === null || receipts === undefined ? "-" : JSON.stringify(receipts[index]),
  ]);
  const head = fields([
    ["block", `${block.height}  ${block.id}`],
    ["status", block.status],
    ...Object.entries(header).map(
      ([name, value]) => [name, name === "time" ? timeText(Number(value)) : String(value)] as const,
    ),
    ["certificate", block.certificate === null ? "none" : `${Math.floor((block.certificate.length * 3) / 4)} bytes`],
    ["transactions", String(block.transactionCount)],
  ]);
  return rows.length === 0 ? head : `${head}\n\n${table(["INDEX", "ID", "DOES", "RECEIPT"], rows)}`;
}
