/** `cairn inspect WHERE export`: blocks to standard output or a file, as fast as they are taken, one in memory at a time. */
import { createWriteStream, type WriteStream } from "node:fs";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import type { Writable } from "node:stream";
import { exportBlocks, type ExportFormat, type Sink } from "../../../tools/inspect/exportChain.ts";
import { whyNotWritten } from "../systemError.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import type { Source } from "./inspectSource.ts";
import { wholeNumber } from "./numbers.ts";
import { printError } from "./terminal.ts";

export interface ExportFlags {
  readonly from?: string;
  readonly to?: string;
  readonly format?: string;
  readonly out?: string;
}

export async function inspectExport(source: Source, flags: ExportFlags): Promise<ExitStatus> {
  const format = formatOf(flags.format ?? "jsonl");
  const from = wholeNumber("--from", flags.from ?? "0", 0, Number.MAX_SAFE_INTEGER);
  const head = await source.headHeight();
  // From the next one on is what somebody asks for who has all: there is nothing yet. Further on something is amiss.
  if (from > head + 1) {
    const message = `--from ${from}: the head is at height ${head}; what comes next would be --from ${head + 1}`;
    throw new CliError(EXIT.usage, message);
  }
  const to = flags.to === undefined ? head : wholeNumber("--to", flags.to, from, Number.MAX_SAFE_INTEGER);
  // Block 0 follows from the genesis and is never sent as bytes.
  const blocks = source.exported(format === "protobuf" ? Math.max(1, from) : from, to);
  if (flags.out === undefined) {
    await exportBlocks(blocks, format, sinkOf(process.stdout));
    return EXIT.ok;
  }
  const file = createWriteStream(flags.out, { flags: "wx" });
  try {
    await once(file, "open");
    const count = await exportBlocks(blocks, format, sinkOf(file));
    await ended(file);
    printError(`${count} blocks in ${flags.out}`);
    return EXIT.ok;
  } catch (error) {
    file.destroy();
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw new CliError(EXIT.unreachable, whyNotWritten(flags.out, error));
  }
}

function formatOf(text: string): ExportFormat {
  if (text === "jsonl" || text === "protobuf") return text;
  throw new CliError(EXIT.usage, `--format ${text}: must be jsonl or protobuf`);
}

/** Waits for a reader that is slow; one that is gone ends the process (standard output) or rejects (a file). */
function sinkOf(stream: Writable): Sink {
  return async (chunk) => {
    if (!stream.write(chunk)) await once(stream, "drain");
  };
}

async function ended(file: WriteStream): Promise<void> {
  file.end();
  await finished(file);
}
