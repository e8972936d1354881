/** `cairn keys`: identities of nodes. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { NODE_FILES } from "../directory.ts";
import { generateNodeKey, readNodeKey, writeNodeKey } from "../keys.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { print, printJson } from "./terminal.ts";

interface KeysFlags {
  readonly json?: boolean;
}

/** Writes a new key to a file that does not exist. */
export function keysGenerateCommand(file: string, flags: KeysFlags): ExitStatus {
  const key = generateNodeKey();
  const written = writeNodeKey(file, key);
  if (!written.ok) {
    throw new CliError(written.error.code === "KEY_EXISTS" ? EXIT.usage : EXIT.unreachable, written.error.message);
  }
  show(file, key.publicKey, flags);
  return EXIT.ok;
}

/** The public key of a node's directory or a key file. */
export function keysShowCommand(path: string, flags: KeysFlags): ExitStatus {
  const isDirectory = existsSync(path) && statSync(path).isDirectory();
  const file = isDirectory ? join(path, NODE_FILES.key) : path;
  const key = readNodeKey(file);
  if (!key.ok) throw new CliError(EXIT.unreachable, key.error.message);
  show(file, key.value.publicKey, flags);
  return EXIT.ok;
}

function show(file: string, publicKey: string, { json }: KeysFlags): void {
  if (json) printJson({ file, key: publicKey });
  else print(publicKey);
}
