/** `known-peers.json`: there at the next start, begun anew when it is damaged. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { signingDigest } from "../../chain/signing.ts";
import type { KeptAddresses } from "../../net/transport/addressBook.ts";
import { makeAddressRecord } from "../../net/transport/addressMessages.ts";
import { generateNodeKey } from "../../src/node/keys.ts";
import { KNOWN_PEERS_FILE, KnownPeers } from "../../src/node/knownPeers.ts";
import type { Logger } from "../../src/node/logging.ts";
import { ownAddresses } from "../../src/node/ownAddresses.ts";

const dir = mkdtempSync(join(tmpdir(), "cairn-known-"));
afterAll(() => rmSync(dir, { recursive: true }));
const file = join(dir, KNOWN_PEERS_FILE);
const CHAIN = "ab".repeat(32);

function kept(addresses: readonly string[], usable = addresses, linkedAt?: number): KeptAddresses {
  const key = generateNodeKey();
  const sign = (content: Uint8Array): Uint8Array =>
    Uint8Array.from(key.sign(signingDigest("addresses", CHAIN, content)));
  return { record: makeAddressRecord(key.publicKey, 1_700_000_000_000, addresses, sign), usable, linkedAt };
}

const NEAR = ["/ip4/127.0.0.1/tcp/26600", "/ip4/192.0.2.1/tcp/26600"];

describe("what is known of peers", () => {
  const said: string[] = [];
  const log = { write: (_: string, __: string, message: string) => said.push(message) } as unknown as Logger;
  const open = () => KnownPeers.open(dir, CHAIN, log);
  beforeEach(() => {
    said.length = 0;
    rmSync(file, { force: true });
  });

  test("is there at the next start, of several writes the last", async () => {
    const first = await open();
    expect(first.found).toEqual([]);
    const all = [kept(NEAR, NEAR.slice(1), 5), kept(NEAR)];
    first.keep([kept(NEAR)]);
    first.keep([]);
    first.keep(all);
    await first.close();
    expect((await open()).found).toEqual(all);
    expect(said).toEqual([]);
  });

  test.each([
    ["is no JSON", () => "{"],
    ["was cut short", (text: string) => text.slice(0, -20)],
    ["has another address than was signed", (text: string) => text.replaceAll("192.0.2.1", "192.0.2.7")],
    ["has a digit flipped in what was signed", (text: string) => text.replace(/"content": "../, '"content": "09')],
    ["has a signature of somebody else", (text: string) => text.replace(/("signature": ")[0-9a-f]{8}/, "$100000000")],
    ["has fields that are none of its", (text: string) => text.replace('"peers"', '"more": 1, "peers"')],
  ])("is learned anew, and that is said, when the file %s", async (_, damage) => {
    const first = await open();
    first.keep([kept(NEAR)]);
    await first.close();
    writeFileSync(file, damage(readFileSync(file, "utf8")));
    const second = await open();
    expect(second.found).toEqual([]);
    expect(said).toEqual([expect.stringContaining(`${KNOWN_PEERS_FILE} cannot be used`)]);
    second.keep([kept(NEAR)]);
    await second.close();
    expect((await open()).found).toHaveLength(1);
  });

  test("of another chain is not believed", async () => {
    const first = await open();
    first.keep([kept(NEAR)]);
    await first.close();
    expect((await KnownPeers.open(dir, "cd".repeat(32), log)).found).toEqual([]);
  });

  test("that cannot be written is said once, and hurts nobody", async () => {
    const gone = await KnownPeers.open(join(dir, "gone"), CHAIN, log);
    gone.keep([kept(NEAR)]);
    await gone.close();
    gone.keep([kept(NEAR)]);
    await gone.close();
    expect(said).toEqual([expect.stringContaining("cannot write")]);
  });
});

describe("a node's own addresses", () => {
  const p2p = { listen: "192.0.2.9:26600", announce: [] as string[], peers: [], maxPeers: 1, outboundPeers: 1 };

  test("are what is announced; else where it listens, on every interface where it listens on all", () => {
    expect(ownAddresses({ ...p2p, announce: ["node.example:1"] }, [])).toEqual(["/dns/node.example/tcp/1"]);
    expect(ownAddresses(p2p, [])).toEqual(["/ip4/192.0.2.9/tcp/26600"]);
    expect(ownAddresses({ ...p2p, listen: "127.0.0.1:0" }, ["/ip4/127.0.0.1/tcp/4711/p2p/x"])).toEqual([
      "/ip4/127.0.0.1/tcp/4711",
    ]);
    expect(ownAddresses({ ...p2p, listen: "0.0.0.0:7" }, [])).toContain("/ip4/127.0.0.1/tcp/7");
  });
});
