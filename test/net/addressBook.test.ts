/** Which addresses of other nodes are believed, kept, passed on and dialed. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressBook, type KeptAddresses } from "../../net/transport/addressBook.ts";
import {
  ADDRESSES_MAX,
  addressRecordsMessage,
  decodeAddressRecords,
  encodeAddressRecords,
  makeAddressRecord,
  nodeAddressesMessage,
} from "../../net/transport/addressMessages.ts";
import { type AddressScope, isWithin, scopeOf, SCOPES } from "../../net/transport/addressScope.ts";
import {
  ADDRESS_BOOK_MAX,
  ADDRESSES_AHEAD_MS,
  ADDRESSES_STALE_MS,
  DIAL_AGAIN_MS,
  DIAL_PATIENCE_MS,
  DIALS_IN_VAIN_MAX,
  PROVEN_MAX,
  TOLD_BY_ONE_MAX,
} from "../../net/transport/constants.ts";
import { OutboundLinks } from "../../net/transport/outboundLinks.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { seededRandom } from "../../src/base/random.ts";

const keyOf = (n: number): string => n.toString(16).padStart(64, "0");
const SELF = keyOf(1);
const START = 1_700_000_000_000;
const signature = new Uint8Array(64);
const publicAddress = (n: number): string => `/ip4/9.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}/tcp/26600`;
const record = (n: number, sequence = START, addresses = [publicAddress(n)]) =>
  makeAddressRecord(keyOf(n), sequence, addresses, () => signature);

class Node {
  now = START;
  readonly protected = new Set<string>();
  readonly book: AddressBook;
  readonly out: OutboundLinks;
  readonly dialed = new Map<string, readonly string[]>();

  constructor(kept: readonly KeptAddresses[] = [], wanted = 3) {
    const now = (): number => this.now;
    this.book = new AddressBook({ self: SELF, now, isProtected: (node) => this.protected.has(node) }, kept);
    this.out = new OutboundLinks({
      book: this.book,
      random: seededRandom(5),
      wanted,
      now,
      dial: (node, addresses) => void this.dialed.set(node, addresses),
      letGo: (node) => void this.dialed.delete(node),
    });
  }

  has(n: number): boolean {
    return this.book.addressesOf(keyOf(n)).length > 0;
  }
  /** @returns how many of these are there */
  count(from: number, to: number): number {
    let count = 0;
    for (let n = from; n < to; n++) if (this.has(n)) count++;
    return count;
  }
}

describe("the scope of an address", () => {
  const CASES: readonly (readonly [string, AddressScope | undefined])[] = [
    ["/ip4/127.0.0.1/tcp/26600", "loopback"],
    ["/ip4/127.255.0.9/tcp/1", "loopback"],
    ["/ip6/::1/tcp/1", "loopback"],
    ["/ip6/0:0:0:0:0:0:0:1/tcp/1", "loopback"],
    ["/dns/localhost/tcp/1", "loopback"],
    ["/dns4/a.LOCALHOST/tcp/1", "loopback"],
    ["/ip4/10.0.0.1/tcp/1", "private"],
    ["/ip4/172.16.0.1/tcp/1", "private"],
    ["/ip4/172.32.0.1/tcp/1", "public"],
    ["/ip4/192.168.255.1/tcp/1", "private"],
    ["/ip4/169.254.1.1/tcp/1", "private"],
    ["/ip4/100.64.0.1/tcp/1", "private"],
    ["/ip4/100.63.0.1/tcp/1", "public"],
    ["/ip6/fd00::1/tcp/1", "private"],
    ["/ip6/fe80::1:2/tcp/1", "private"],
    ["/dns/node1/tcp/1", "private"],
    ["/dns/node1.local/tcp/1", "private"],
    ["/ip4/192.0.2.1/tcp/65535", "public"],
    ["/ip6/2001:db8::7/tcp/1", "public"],
    ["/dns6/node.example/tcp/1", "public"],
    ["/ip4/0.0.0.0/tcp/1", undefined],
    ["/ip4/224.0.0.1/tcp/1", undefined],
    ["/ip4/255.255.255.255/tcp/1", undefined],
    ["/ip4/9.9.9.9/tcp/0", undefined],
    ["/ip4/9.9.9.9/tcp/65536", undefined],
    ["/ip4/9.9.9/tcp/1", undefined],
    ["/ip4/9.9.9.256/tcp/1", undefined],
    ["/ip4/0127.0.0.1/tcp/1", undefined],
    ["/ip6/::/tcp/1", undefined],
    ["/ip6/::ffff:127.0.0.1/tcp/1", undefined],
    ["/ip6/::ffff:7f00:1/tcp/1", undefined],
    ["/ip6/ff02::1/tcp/1", undefined],
    ["/ip6/1:2:3/tcp/1", undefined],
    ["/ip6/1::2::3/tcp/1", undefined],
    ["/ip6/1:2:3:4:5:6:7:8:9/tcp/1", undefined],
    ["/ip4/9.9.9.9/udp/1", undefined],
    ["/ip4/9.9.9.9/tcp/1/p2p/12D3KooW", undefined],
    ["/dns/-a/tcp/1", undefined],
    ["/dns/a..b/tcp/1", undefined],
    ["9.9.9.9:1", undefined],
    ["", undefined],
  ];
  it.each(CASES)("of %s is %s", (address, scope) => expect(scopeOf(address)).toBe(scope));

  it("who is reached in one may use the addresses of it and of those further away", () => {
    expect(SCOPES.map((from) => SCOPES.filter((address) => isWithin(address, from)))).toEqual([
      ["loopback", "private", "public"],
      ["private", "public"],
      ["public"],
    ]);
  });
});

describe("records on the wire", () => {
  it("come back as they went", () => {
    const records = [record(2), record(3, 7, ["/dns/a.example/tcp/1", "/ip6/fd00::1/tcp/2"])];
    expect(decodeAddressRecords(encodeAddressRecords(records))).toEqual(records);
  });

  it("without an address, with one that is not printable, or with bytes that are no NodeAddresses are refused", () => {
    const decode = (content: Uint8Array) =>
      decodeAddressRecords(
        concatBytes(
          Uint8Array.of(60),
          addressRecordsMessage.encode({ records: [{ node: keyOf(2), content, signature }] }),
        ),
      );
    expect(decode(nodeAddressesMessage.encode({ sequence: 5, addresses: [publicAddress(2)] }))).toHaveLength(1);
    expect(decode(nodeAddressesMessage.encode({ sequence: 5, addresses: [] }))).toBeUndefined();
    expect(decode(nodeAddressesMessage.encode({ sequence: 5, addresses: ["/dns/a\u001b[2J/tcp/1"] }))).toBeUndefined();
    expect(decode(Uint8Array.of(1, 2, 3))).toBeUndefined();
    const nine = Array.from({ length: ADDRESSES_MAX + 1 }, (_, n) => publicAddress(n));
    expect(() => record(2, 1, nine)).toThrow(RangeError);
  });
});

describe("of two records of one node", () => {
  it("the newer one counts, whatever order they come in", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sequences) => {
        const node = new Node();
        for (const sequence of sequences)
          node.book.learn(record(2, START + sequence, [publicAddress(sequence)]), keyOf(9), "public");
        expect(node.book.addressesOf(keyOf(2))).toEqual([publicAddress(Math.max(...sequences))]);
      }),
    );
  });

  it("none is taken that was signed long after now or long before, or of this node itself", () => {
    const node = new Node();
    expect(node.book.learn(record(2, START + ADDRESSES_AHEAD_MS + 1), keyOf(9), "public")).toBe(false);
    expect(node.book.learn(record(1), keyOf(9), "public")).toBe(false);
    expect(node.book.learn(record(2, START - ADDRESSES_STALE_MS - 1), keyOf(9), "public")).toBe(false);
    expect(node.book.learn(record(2, START + ADDRESSES_AHEAD_MS), keyOf(9), "public")).toBe(true);
  });
});

describe("what is nearer than the link it came by", () => {
  const near = ["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", publicAddress(7)];

  it.each([
    ["loopback", near],
    ["private", near.slice(1)],
    ["public", near.slice(2)],
  ] as const)("is not dialed: by a %s one", (scope, usable) => {
    const node = new Node();
    node.book.learn(record(2, START, near), keyOf(9), scope);
    expect(node.book.addressesOf(keyOf(2))).toEqual(usable);
  });

  it("does not make a record news, and is not told", () => {
    const node = new Node();
    expect(node.book.learn(record(2, START, near.slice(0, 2)), keyOf(9), "public")).toBe(false);
    node.book.learn(record(3, START, near.slice(0, 1)), keyOf(9), "loopback");
    expect(node.book.tellable("private", keyOf(9))).toEqual([]);
    expect(node.book.tellable("loopback", keyOf(9))).toHaveLength(1);
  });
});

describe("the bound", () => {
  it("holds, and one neighbour has a share of it", () => {
    const node = new Node();
    for (let n = 100; n < 100 + 2 * TOLD_BY_ONE_MAX; n++) node.book.learn(record(n), keyOf(9), "public");
    expect(node.book.size).toBe(TOLD_BY_ONE_MAX);
    for (let n = 1000; n < 1000 + 3 * ADDRESS_BOOK_MAX; n++) node.book.learn(record(n), keyOf(n), "public");
    expect(node.book.size).toBe(ADDRESS_BOOK_MAX);
  });

  it("many keys, each with its own link, drive out no producer, no linked node and none that a link was had with", () => {
    const node = new Node();
    for (let n = 10; n < 40; n++) node.book.learn(record(n), keyOf(9), "public");
    for (let n = 10; n < 20; n++) node.protected.add(keyOf(n));
    for (let n = 20; n < 30; n++) node.book.linked(keyOf(n));
    for (let n = 1000; n < 1000 + 3 * ADDRESS_BOOK_MAX; n++) node.book.learn(record(n), keyOf(n), "public");
    expect(node.book.size).toBe(ADDRESS_BOOK_MAX);
    expect(node.count(10, 30)).toBe(20);
    // The rest was hearsay of one neighbour: of such, who told most makes room.
    expect(node.count(30, 40)).toBeLessThan(10);
  });

  it("links had are no way around it: of those the oldest count as others do", () => {
    const node = new Node();
    for (let n = 1000; n < 1000 + 3 * ADDRESS_BOOK_MAX; n++) {
      node.now++;
      node.book.learn(record(n), keyOf(n), "public");
      node.book.linked(keyOf(n));
    }
    expect(node.book.size).toBe(ADDRESS_BOOK_MAX);
    expect(node.book.kept().filter(({ linkedAt }) => linkedAt !== undefined)).toHaveLength(PROVEN_MAX);
    expect(node.has(1000 + 3 * ADDRESS_BOOK_MAX - 1)).toBe(true);
  });

  it("is kept by what the disk held, too", () => {
    const kept = Array.from({ length: 2 * ADDRESS_BOOK_MAX }, (_, n) => ({
      record: record(100 + n),
      usable: [publicAddress(n)],
      linkedAt: undefined,
    }));
    expect(new Node(kept).book.size).toBe(ADDRESS_BOOK_MAX);
  });
});

describe("what is old", () => {
  it("is not passed on, is dialed all the same, and is forgotten when it is not there", () => {
    const node = new Node();
    node.book.learn(record(2, START), keyOf(9), "public");
    node.now = START + ADDRESSES_STALE_MS + 1;
    expect(node.book.tellable("public", keyOf(9))).toEqual([]);
    for (let i = 0; i < DIALS_IN_VAIN_MAX; i++) {
      expect([...node.book.candidates()]).toHaveLength(1);
      node.book.failed(keyOf(2));
      node.now += 2 * DIAL_AGAIN_MS * 2 ** i;
    }
    expect(node.book.size).toBe(0);
  });
});

describe("whom to dial", () => {
  const filled = (wanted: number): Node => {
    const node = new Node([], wanted);
    for (let n = 10; n < 30; n++) node.book.learn(record(n), keyOf(9), "public");
    return node;
  };

  it("as many as are wanted and not dialed from here yet; links that others dialed do not count", () => {
    const node = filled(4);
    node.out.peerUp(keyOf(50), true);
    for (let n = 51; n < 60; n++) node.out.peerUp(keyOf(n), false);
    node.out.choose();
    expect(node.dialed.size).toBe(3);
    node.out.choose();
    expect(node.dialed.size).toBe(3);
  });

  it("nobody who has a link, and nobody any more when that one dialed", () => {
    const node = filled(20);
    node.out.peerUp(keyOf(10), false);
    node.out.choose();
    expect(node.dialed.size).toBe(19);
    expect(node.dialed.has(keyOf(10))).toBe(false);
    node.out.peerUp(keyOf(11), false);
    expect(node.dialed.has(keyOf(11))).toBe(false);
    node.out.peerUp(keyOf(12), true);
    expect(node.dialed.has(keyOf(12))).toBe(true);
  });

  it("another one where one is not there; that one again after a minute, then two", () => {
    const node = new Node([], 1);
    node.book.learn(record(10), keyOf(9), "public");
    node.out.choose();
    expect([...node.dialed.keys()]).toEqual([keyOf(10)]);
    for (const waitMs of [DIAL_AGAIN_MS, 2 * DIAL_AGAIN_MS, 4 * DIAL_AGAIN_MS]) {
      node.now += DIAL_PATIENCE_MS;
      node.out.choose();
      expect(node.dialed.size).toBe(0);
      node.now += waitMs - 1;
      node.out.choose();
      expect(node.dialed.size).toBe(0);
      node.now += 1;
      node.out.choose();
      expect(node.dialed.size).toBe(1);
    }
  });

  it("one that takes the link and drops it again and again is not there, either", () => {
    const node = filled(1);
    node.out.choose();
    const [first] = node.dialed.keys();
    for (let i = 0; i < 8; i++) {
      node.out.peerUp(first as string, true);
      node.now += DIAL_PATIENCE_MS / 8;
      node.out.peerDown(first as string);
    }
    node.out.choose();
    expect([...node.dialed.keys()]).not.toEqual([first]);
    expect(node.dialed.size).toBe(1);
  });

  it("where it is now, when it has told so", () => {
    const node = new Node([], 1);
    node.book.learn(record(10), keyOf(9), "public");
    node.out.choose();
    node.book.learn(record(10, START + 1, [publicAddress(77)]), keyOf(10), "public");
    node.out.changed(keyOf(10));
    expect([...node.dialed]).toEqual([[keyOf(10), [publicAddress(77)]]]);
  });

  it("half of them nodes that a link was had with, half others, while there are both", () => {
    const node = filled(8);
    for (let n = 10; n < 20; n++) node.book.linked(keyOf(n));
    node.out.choose();
    const proven = [...node.dialed.keys()].filter((key) => key < keyOf(20));
    expect(proven).toHaveLength(4);
  });
});
