/** `cairn inspect WHERE tx ID`, `certificates`, `votes`. */
import { headerMessage } from "../../../chain/header.ts";
import { quorumCertificateMessage } from "../../../consensus/bft/certificates.ts";
import { certificateMessage } from "../../../consensus/certificate.ts";
import { sha256Hex } from "../../base/hash.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import type { Source } from "./inspectSource.ts";
import { wholeNumber } from "./numbers.ts";
import { fields, print, printable, printJson, shortId, table } from "./terminal.ts";
import { voteRecordJson, voteRecordText } from "./voteRecord.ts";

interface RecordFlags {
  readonly from?: string;
  readonly limit: string;
  readonly json?: boolean;
}

export async function inspectTx(source: Source, id: string, flags: RecordFlags): Promise<ExitStatus> {
  const found = await source.transaction(id);
  if (found === undefined) throw new CliError(EXIT.no, `there is no transaction ${id} here`);
  const { block, index } = found;
  const { id: _, index: __, ...content } = block.transactions?.[index] ?? { id, index };
  const receipt = block.receipts?.[index];
  const { height, id: blockId, status } = block;
  const shown = {
    id,
    status,
    height,
    index,
    blockId,
    ...(receipt === undefined ? {} : { receipt }),
    transaction: content,
  };
  if (flags.json) {
    printJson(shown);
    return EXIT.ok;
  }
  const { operations, payload } = content as { readonly operations?: unknown; readonly payload?: string };
  print(
    fields([
      ["transaction", id],
      ["status", status],
      ["place", `height ${height}, index ${index}`],
      ["block", blockId],
      ["receipt", receipt === undefined ? "not held" : printable(JSON.stringify(receipt))],
      ["does", printable(operations === undefined ? String(payload) : JSON.stringify(operations))],
    ]),
  );
  return EXIT.ok;
}

interface ShownCertificate {
  readonly height: number;
  readonly id: string;
  readonly view: number;
  readonly signers: readonly string[];
  readonly headers: number;
  readonly bytes: number;
}

const LIMIT_MAX = 100_000;

export async function inspectCertificates(source: Source, flags: RecordFlags): Promise<ExitStatus> {
  const limit = wholeNumber("--limit", flags.limit, 1, LIMIT_MAX);
  const { irreversible, producers, engine } = await source.summary();
  const newest = Math.max(0, irreversible.height - limit + 1);
  let from = flags.from === undefined ? newest : wholeNumber("--from", flags.from, 0, Number.MAX_SAFE_INTEGER);
  const certificates: ShownCertificate[] = [];
  while (certificates.length < limit && from <= irreversible.height) {
    const bytes = await source.certificate(from);
    if (bytes === undefined) break;
    const shown = engine === "bft" ? await shownQuorum(bytes, source) : shownCertificate(bytes);
    if (shown === undefined || shown.height < from)
      throw new CliError(EXIT.no, `the certificate for height ${from} is damaged`);
    certificates.push(shown);
    from = shown.height + 1;
  }
  // Those who are producers no more have signed, too.
  const { producers: first } = (await source.genesis()) as { readonly producers: typeof producers };
  const names = new Map([...first, ...producers].map(({ key, name }) => [key, name]));
  if (flags.json) printJson({ certificates });
  else {
    const rows = certificates.map(({ height, id, view, signers, headers, bytes }) => [
      String(height),
      shortId(id),
      String(view),
      signers.map((key) => printable(names.get(key) ?? shortId(key))).join(", "),
      String(headers),
      String(bytes),
    ]);
    print(table(["HEIGHT", "ID", "VIEW", "SIGNED BY", "HEADERS", "BYTES"], rows));
  }
  return EXIT.ok;
}

/** What it says; whether it is signed, `verify` tells. */
function shownCertificate(bytes: Uint8Array): ShownCertificate | undefined {
  const decoded = certificateMessage.decode(bytes);
  const [first] = decoded.ok ? decoded.value.path : [];
  const header = first && headerMessage.decode(first);
  if (!decoded.ok || first === undefined || header?.ok !== true) return undefined;
  const { view, path, acks } = decoded.value;
  const signers = acks.map(({ signer }) => signer);
  return {
    height: header.value.height,
    id: sha256Hex(first),
    view,
    signers,
    headers: path.length,
    bytes: bytes.length,
  };
}

/** As {@link shownCertificate}, of a commit certificate. */
async function shownQuorum(bytes: Uint8Array, source: Source): Promise<ShownCertificate | undefined> {
  const decoded = quorumCertificateMessage.decode(bytes);
  const header = decoded.ok ? headerMessage.decode(decoded.value.header) : undefined;
  if (!decoded.ok || header?.ok !== true || !decoded.value.commit) return undefined;
  const { height, view } = header.value;
  const members = await source.membersAt(height);
  const signers = decoded.value.signatures.map(({ signer }) => members?.[signer] ?? `producer ${signer}`);
  return { height, id: sha256Hex(decoded.value.header), view, signers, headers: 1, bytes: bytes.length };
}

export async function inspectVotes(source: Source, flags: RecordFlags): Promise<ExitStatus> {
  const vote = source.voteRecord();
  if (vote === undefined) {
    throw new CliError(EXIT.usage, "inspect votes: a node tells nobody its vote record; give its directory");
  }
  const { producers } = await source.summary();
  const names = new Map(producers.map(({ key, name }) => [key, name]));
  if (flags.json) printJson(voteRecordJson(vote));
  else print(voteRecordText(vote, names));
  return vote.verdict === "ok" ? EXIT.ok : EXIT.no;
}
