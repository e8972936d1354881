import { describe, expect, it } from "vitest";
import { makeConfiguration } from "../../chain/configuration.ts";
import { lookupOf } from "../../chain/producerSets.ts";
import { signingDigest } from "../../chain/signing.ts";
import { type CertificateContent, certificateMessage, decodeCertificate } from "../../consensus/certificate.ts";
import { WINDOW_BLOCKS } from "../../consensus/constants.ts";
import { ackMessage } from "../../consensus/leading/messages.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import {
  CHAIN_ID,
  fakeSignature,
  KEYS,
  type NaiveBlock,
  naiveChild,
  naiveGenesis,
  testGenesis,
} from "../fixtures/naiveChain.ts";

const genesis = testGenesis({}, KEYS.slice(0, 4));
const { configuration } = genesis;
const [A, B, C, D, STRANGER] = KEYS as [string, string, string, string, string];
const VIEW = 3;

/** Blocks of one view on top of a block of an older one. */
const older = naiveChild(genesis, naiveGenesis(genesis), { view: VIEW - 1 });
const line: NaiveBlock[] = [];
for (let parent = older; line.length < WINDOW_BLOCKS + 2; parent = line.at(-1) as NaiveBlock)
  line.push(naiveChild(genesis, parent, { view: VIEW }));
const [first, second, third] = line as [NaiveBlock, NaiveBlock, NaiveBlock];
const headers = (blocks: readonly NaiveBlock[]): Uint8Array[] => blocks.map((each) => each.block.headerBytes);
const ack = (signer: string, position: number): CertificateContent["acks"][number] => ({
  signer,
  position,
  signature: fakeSignature(signer),
});

const good: CertificateContent = {
  view: VIEW,
  path: headers([first, second, third]),
  acks: [ack(A, 0), ack(B, 2), ack(C, 1)],
};
const decode = (content: CertificateContent, set = configuration): ReturnType<typeof decodeCertificate> =>
  decodeCertificate(certificateMessage.encode(content), CHAIN_ID, lookupOf(set));

describe("irreversibility certificate (docs/protocol.md, section 4)", () => {
  it("a majority's acks of one view at or above the block, with the header path, prove the block at its foot", () => {
    const decoded = decode(good);
    if (!decoded.ok) throw new Error(decoded.error.detail);
    const { height, id, view, header, claims, bytes } = decoded.value;
    expect([height, id, view]).toEqual([first.height, first.id, VIEW]);
    expect(header).toEqual(first.block.header);
    expect(bytes).toEqual(certificateMessage.encode(good));
    const claimOf = (signer: string, block: NaiveBlock): unknown => {
      const content = ackMessage.encode({ view: VIEW, height: block.height, id: block.id });
      return { key: signer, digest: signingDigest("ack", CHAIN_ID, content), signature: fakeSignature(signer) };
    };
    expect(claims).toEqual([claimOf(A, first), claimOf(B, third), claimOf(C, second)]);
  });

  it("more acks than needed, and a whole window of headers, are taken", () => {
    expect(decode({ ...good, acks: [...good.acks, ack(D, 0)] }).ok).toBe(true);
    expect(decode({ ...good, path: headers(line.slice(0, WINDOW_BLOCKS + 1)) }).ok).toBe(true);
  });

  const sibling = naiveChild(genesis, first, { view: VIEW, time: first.block.header.time + 5 });
  const foreign = naiveChild(genesis, older, { view: VIEW, wrong: { configuration: STRANGER } });
  it.each<[string, CertificateContent]>([
    ["too few acks", { ...good, acks: good.acks.slice(0, 2) }],
    ["no acks", { ...good, acks: [] }],
    ["a signer counted twice", { ...good, acks: [ack(A, 0), ack(B, 0), ack(A, 1)] }],
    ["a signer twice beside a majority", { ...good, acks: [...good.acks, ack(A, 1)] }],
    ["an ack outside the path beside a majority", { ...good, acks: [...good.acks, ack(D, 3)] }],
    ["a signer outside the producer set", { ...good, acks: [ack(A, 0), ack(B, 0), ack(STRANGER, 0)] }],
    ["a stranger beside a majority", { ...good, acks: [...good.acks, ack(STRANGER, 0)] }],
    ["an ack for a block outside the path", { ...good, acks: [ack(A, 0), ack(B, 0), ack(C, 3)] }],
    ["headers that do not connect", { ...good, path: headers([first, third]) }],
    ["headers in the wrong order", { ...good, path: headers([second, first, third]) }],
    ["a sibling in the path", { ...good, path: headers([first, sibling, third]) }],
    ["no header", { ...good, path: [] }],
    ["another view than its headers [S3]", { ...good, view: VIEW + 1 }],
    ["a first header of an older view [S3]", { ...good, path: headers([older, first, second]) }],
    [
      "a header that names another producer set",
      { ...good, path: headers([foreign]), acks: [ack(A, 0), ack(B, 0), ack(C, 0)] },
    ],
    ["bytes that are no header", { ...good, path: [first.block.headerBytes.subarray(1)] }],
    ["a header with trailing bytes", { ...good, path: [concatBytes(first.block.headerBytes, Uint8Array.of(0))] }],
  ])("refuses %s", (_, content) => {
    const decoded = decode(content);
    expect(!decoded.ok && decoded.error.code).toBe(
      content.path[0] === foreign.block.headerBytes ? "PRODUCERS_UNKNOWN" : "CERTIFICATE_INVALID",
    );
  });

  it("is judged by the set it is given: acks of another set's producers do not count", () => {
    expect(decode(good, makeConfiguration([A, B, C])).ok).toBe(false);
    const smaller = makeConfiguration([A, B, STRANGER]);
    expect(decode(good, smaller).ok).toBe(false);
  });

  it("another chain's acks are other claims", () => {
    const here = decode(good);
    const there = decodeCertificate(certificateMessage.encode(good), STRANGER, lookupOf(configuration));
    if (!here.ok || !there.ok) throw new Error("shape");
    here.value.claims.forEach((claim, i) => expect(claim.digest).not.toEqual(there.value.claims[i]?.digest));
  });

  it("a path longer than the window is not decodable", () => {
    const parts = headers(line.slice(0, WINDOW_BLOCKS + 2));
    expect(() => certificateMessage.encode({ ...good, path: parts })).toThrow(RangeError);
  });

  it("every change of one byte is refused, or changes a claim, or names another block", () => {
    const encoded = certificateMessage.encode({
      ...good,
      path: headers([first, second]),
      acks: [ack(A, 0), ack(B, 1), ack(C, 1)],
    });
    const whole = decodeCertificate(encoded, CHAIN_ID, lookupOf(configuration));
    if (!whole.ok) throw new Error("good");
    for (let at = 0; at < encoded.length; at++) {
      for (const flip of [1, 2, 8, 64, 128]) {
        const mutated = encoded.slice();
        mutated[at] = (mutated[at] as number) ^ flip;
        const decoded = decodeCertificate(mutated, CHAIN_ID, lookupOf(configuration));
        if (decoded.ok) expect([decoded.value.id, decoded.value.claims]).not.toEqual([first.id, whole.value.claims]);
      }
    }
  });
});
