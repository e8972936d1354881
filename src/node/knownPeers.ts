/**
 * Where other nodes can be reached, over restarts: `known-peers.json` in the node's directory. It is learned again if it is
 * lost, so a file that is damaged is said and begun anew. Replaced whole: a crash leaves the old one or the new one.
 */
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { signingDigest } from "../../chain/signing.ts";
import type { KeptAddresses } from "../../net/transport/addressBook.ts";
import { ADDRESSES_MAX, openAddressRecord } from "../../net/transport/addressMessages.ts";
import { ADDRESS_BOOK_MAX } from "../../net/transport/constants.ts";
import { fromHex, toHex } from "../base/bytes.ts";
import type { Logger } from "./logging.ts";
import { verifySignatures } from "./signatures.ts";
import { messageOf, systemCode } from "./systemError.ts";

export const KNOWN_PEERS_FILE = "known-peers.json";

const hex = (bytes: number) => z.string().regex(new RegExp(`^(?:[0-9a-f]{2}){1,${bytes}}$`));
const fileSchema = z.strictObject({
  peers: z
    .array(
      z.strictObject({
        key: z.string().regex(/^[0-9a-f]{64}$/),
        /** For people, and what of them is dialed: the node's own words are in `content`. */
        addresses: z.array(z.string()).min(1).max(ADDRESSES_MAX),
        linkedAt: z.number().int().nonnegative().optional(),
        content: hex(1_100),
        signature: hex(64),
      }),
    )
    .max(ADDRESS_BOOK_MAX),
});

export class KnownPeers {
  readonly #file: string;
  readonly #dir: string;
  readonly #log: Logger;
  /** What was there at the start, its signatures checked. */
  readonly found: readonly KeptAddresses[];
  #next: readonly KeptAddresses[] | undefined;
  #writing: Promise<void> | undefined;
  #hasFailed = false;

  private constructor(dir: string, log: Logger, found: readonly KeptAddresses[]) {
    this.#dir = dir;
    this.#file = join(dir, KNOWN_PEERS_FILE);
    this.#log = log;
    this.found = found;
  }

  /** Never rejects: without the file the node learns its peers again. */
  static async open(dir: string, chainId: string, log: Logger): Promise<KnownPeers> {
    const file = join(dir, KNOWN_PEERS_FILE);
    try {
      return new KnownPeers(dir, log, await readKnown(file, chainId));
    } catch (error) {
      if (systemCode(error) !== "ENOENT") {
        const message = `${file} cannot be used (${messageOf(error)}): the addresses of peers are learned anew`;
        log.write("warn", "net", message);
      }
      return new KnownPeers(dir, log, []);
    }
  }

  /** On disk soon; of several that wait the newest. */
  keep(addresses: readonly KeptAddresses[]): void {
    this.#next = addresses;
    this.#writing ??= this.#write();
  }

  /** What was to be kept is on disk, or was said not to be. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    for (let next = this.#next; next !== undefined; next = this.#next) {
      this.#next = undefined;
      try {
        await this.#replace(next);
        this.#hasFailed = false;
      } catch (error) {
        // Said once: it is tried again whenever something is learned.
        if (!this.#hasFailed) this.#log.write("warn", "net", `cannot write ${this.#file}: ${messageOf(error)}`);
        this.#hasFailed = true;
      }
    }
    this.#writing = undefined;
  }

  async #replace(addresses: readonly KeptAddresses[]): Promise<void> {
    const unfinished = `${this.#file}.new`;
    const written = await open(unfinished, "w", 0o644);
    try {
      await written.writeFile(`${JSON.stringify({ peers: addresses.map(jsonOf) }, null, 1)}\n`);
      await written.sync();
    } finally {
      await written.close();
    }
    await rename(unfinished, this.#file);
    const directory = await open(this.#dir, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

function jsonOf({ record, usable, linkedAt }: KeptAddresses) {
  const { node, content, signature } = record;
  const link = linkedAt === undefined ? {} : { linkedAt: Math.floor(linkedAt) };
  return { key: node, addresses: usable, ...link, content: toHex(content), signature: toHex(signature) };
}

/** Throws where the file is not there, or is not what was written. */
async function readKnown(file: string, chainId: string): Promise<KeptAddresses[]> {
  const { peers } = fileSchema.parse(JSON.parse(await readFile(file, "utf8")));
  const kept = peers.map(({ key, addresses, linkedAt, content, signature }): KeptAddresses => {
    const record = openAddressRecord(key, fromHex(content) as Uint8Array, fromHex(signature) as Uint8Array);
    if (record === undefined || !addresses.every((address) => record.addresses.includes(address)))
      throw new Error(`the record of ${key} is none`);
    return { record, usable: addresses, linkedAt };
  });
  const valid = await verifySignatures(
    kept.map(({ record: { node, content, signature } }) => ({
      key: node,
      digest: signingDigest("addresses", chainId, content),
      signature,
    })),
  );
  const wrong = valid.indexOf(false);
  if (wrong !== -1) throw new Error(`the signature of ${kept[wrong]?.record.node} is not valid`);
  return kept;
}
