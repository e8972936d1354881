/** What a command is given in a file or on standard input. */
import { readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { messageOf, whyNotRead } from "../systemError.ts";
import { CliError, EXIT } from "./error.ts";

/** All of a file; `-` is standard input, which may come slowly (a synchronous read of a pipe fails then). Throws CliError 3. */
export async function readInput(file: string): Promise<Uint8Array> {
  try {
    return file === "-" ? await buffer(process.stdin) : await readFile(file);
  } catch (error) {
    throw new CliError(EXIT.unreachable, whyNotRead(nameOfInput(file), error));
  }
}

/** Of a file that somebody else may have made: a proof of a head with 1,000 changes of 100 producers is as much. */
const JSON_FILE_MAX_BYTES = 16 * 1024 * 1024;

/** @param maxBytes that it may have. Throws CliError 3. */
export function readJson(file: string, maxBytes = JSON_FILE_MAX_BYTES): unknown {
  try {
    if (statSync(file).size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new CliError(EXIT.unreachable, `${file} cannot be read: ${messageOf(error)}`);
  }
}

export function nameOfInput(file: string): string {
  return file === "-" ? "standard input" : file;
}
