/** The set that `cairn producers propose` asks for, from the one in force and its flags. */
import { PRODUCERS_MAX } from "../../../chain/constants.ts";
import type { ProducerEntry } from "../../../chain/producerChange.ts";
import { isAddress } from "../../../net/link/address.ts";
import { isUsableKey } from "../signatures.ts";
import { CliError, EXIT } from "./error.ts";

export interface SetFlags {
  /** `KEY`, `KEY,NAME` or `KEY,NAME,ADDRESS`. */
  readonly add?: readonly string[];
  /** A key, its first digits, or a name. */
  readonly remove?: readonly string[];
  /** What is removed, `=`, what is added in its place. */
  readonly replace?: readonly string[];
}

export function isAnyAsked({ add = [], remove = [], replace = [] }: SetFlags): boolean {
  return add.length + remove.length + replace.length > 0;
}

/** Throws CliError 2 for flags that make no set of the one in force. */
export function proposedSet(current: readonly ProducerEntry[], flags: SetFlags): ProducerEntry[] {
  let set = [...current];
  for (const text of flags.replace ?? []) {
    const at = text.indexOf("=");
    if (at < 1) throw new CliError(EXIT.usage, `--replace ${text}: must be OLD=NEW`);
    const old = memberOf(set, text.slice(0, at), "--replace");
    const added = readEntry(text.slice(at + 1), "--replace");
    set = set.map((each) => (each.key === old.key ? added : each));
  }
  for (const text of flags.remove ?? []) {
    const old = memberOf(set, text, "--remove");
    set = set.filter((each) => each.key !== old.key);
  }
  for (const text of flags.add ?? []) set.push(readEntry(text, "--add"));
  const doubled = set.find(({ key }, index) => set.findIndex((each) => each.key === key) < index);
  if (doubled !== undefined) throw new CliError(EXIT.usage, `${doubled.key} would be a producer twice`);
  if (set.length === 0) throw new CliError(EXIT.usage, "no producer would be left");
  if (set.length > PRODUCERS_MAX) throw new CliError(EXIT.usage, `at most ${PRODUCERS_MAX} producers`);
  return set;
}

function readEntry(text: string, flag: string): ProducerEntry {
  const [key = "", name = "", ...rest] = text.split(",");
  const address = rest.join(",");
  if (!/^[0-9a-f]{64}$/.test(key) || !isUsableKey(key)) {
    throw new CliError(
      EXIT.usage,
      `${flag} ${key}: a producer's key is 64 lower-case hex digits; cairn keys show DIR prints it`,
    );
  }
  if (Buffer.byteLength(name) > 64 || /\p{C}/u.test(name)) {
    throw new CliError(EXIT.usage, `${flag} ${text}: a name is printable text of at most 64 bytes`);
  }
  if (address !== "" && (Buffer.byteLength(address) > 256 || !isAddress(address))) {
    throw new CliError(
      EXIT.usage,
      `${flag} ${text}: an address is HOST:PORT or a multiaddr such as /ip4/10.0.0.1/tcp/26600`,
    );
  }
  return { key, name, address };
}

function memberOf(set: readonly ProducerEntry[], text: string, flag: string): ProducerEntry {
  const byKey = /^[0-9a-f]{8,64}$/.test(text) ? set.filter(({ key }) => key.startsWith(text)) : [];
  const found = byKey.length > 0 ? byKey : set.filter(({ name }) => name === text);
  if (found.length === 1) return found[0] as ProducerEntry;
  const why = found.length === 0 ? "is no producer" : "is more than one producer; give more digits of its key";
  const names = set.map(({ key, name }) => `${name === "" ? "-" : name} (${key.slice(0, 8)})`).join(", ");
  throw new CliError(EXIT.usage, `${flag} ${text}: ${why}. The set: ${names}`);
}
