/** What a command is given in a file or on standard input. */
import { readFileSync } from "node:fs";
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

/** Throws CliError 3. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new CliError(EXIT.unreachable, `${file} cannot be read: ${messageOf(error)}`);
  }
}

export function nameOfInput(file: string): string {
  return file === "-" ? "standard input" : file;
}
