/** `cairn inspect WHERE evidence`: what proves that producers lied, checked once more wherever it comes from. */
import { type ProducerEvidence, PRODUCER_EVIDENCE_FORMAT } from "../../../consensus/producerEvidence.ts";
import { checkProducerEvidence } from "../../client/light/index.ts";
import { GENESIS_MAX_BYTES } from "../genesisFile.ts";
import { trusted } from "./audit.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { readJson } from "./input.ts";
import type { Source } from "./inspectSource.ts";
import { colour, print, printable, printJson, shortId, table } from "./terminal.ts";

interface EvidenceFlags {
  readonly genesis?: string;
  readonly json?: boolean;
}

/** A piece and why it proves nothing; undefined: it does. */
interface Checked {
  readonly piece: ProducerEvidence;
  readonly fault: string | undefined;
}

export async function inspectEvidence(source: Source, flags: EvidenceFlags): Promise<ExitStatus> {
  const told = await source.genesis();
  const genesis = trusted(
    flags.genesis === undefined ? told : readJson(flags.genesis, GENESIS_MAX_BYTES),
    flags.genesis ?? "its genesis",
  );
  const isProducer = source.wasProducer && ((key: string) => source.wasProducer?.(key) === true);
  const checked: Checked[] = [];
  for (const each of await source.evidence()) {
    const verdict = await checkProducerEvidence(each, genesis, isProducer);
    checked.push({ piece: shapeOf(each), fault: verdict.ok ? undefined : verdict.why });
  }
  const invalid = checked.filter(({ fault }) => fault !== undefined);
  if (flags.json) {
    const valid = checked.filter(({ fault }) => fault === undefined).map(({ piece }) => piece);
    const faults = invalid.map(({ piece: { producer, kind }, fault }) => ({ producer, kind, fault }));
    printJson({ evidence: valid, invalid: faults });
  } else print(await text(source, genesis.engine, checked));
  return invalid.length === 0 ? EXIT.ok : EXIT.no;
}

async function text(source: Source, engine: string, checked: readonly Checked[]): Promise<string> {
  if (engine !== "bft")
    return `none: under ${printable(engine)} no evidence is collected, its producers may crash but are trusted not to lie`;
  if (checked.length === 0) return "none: no producer was seen to contradict itself";
  const names = new Map((await source.summary()).producers.map(({ key, name }) => [key, name]));
  const rows = checked.map(({ piece, fault }) => [
    `${printable(names.get(piece.producer) ?? "")} ${shortId(piece.producer)}`.trim(),
    printable(piece.kind),
    String(piece.view),
    String(piece.height),
    fault === undefined ? signed(piece) : "",
    fault === undefined ? "yes" : colour("red", `no: ${printable(fault)}`),
  ]);
  return table(["PRODUCER", "KIND", "VIEW", "HEIGHT", "SIGNED", "VERIFIED"], rows);
}

/** Both things, as they are told apart. */
function signed({ first, second }: ProducerEvidence): string {
  return [first, second].map(({ what, view, height, id }) => `${what} ${view}/${height} ${shortId(id)}`).join(" and ");
}

/** What is shown of one that may be anything. */
function shapeOf(value: unknown): ProducerEvidence {
  const given = (typeof value === "object" && value !== null ? value : {}) as Partial<ProducerEvidence>;
  const { producer, kind, view, height } = given;
  if (
    typeof producer !== "string" ||
    typeof kind !== "string" ||
    typeof view !== "number" ||
    typeof height !== "number"
  )
    throw new CliError(EXIT.no, `what was told is no ${PRODUCER_EVIDENCE_FORMAT}`);
  return given as ProducerEvidence;
}
