import { describe, expect, it } from "vitest";
import { makeConfiguration } from "../../chain/configuration.ts";
import { decodeProducerChange } from "../../chain/producerChange.ts";
import type { Peers, Producers } from "../../src/client/answers.ts";
import { quorumFaults } from "../../src/node/cli/liveQuorum.ts";
import { proposedSet, type SetFlags } from "../../src/node/cli/proposedSet.ts";
import { nodeKeyFromSeed } from "../../src/node/keys.ts";
import {
  approved,
  merged,
  parseProposal,
  payloadOf,
  type ProposalFile,
  proposalText,
  tally,
} from "../../src/node/proposalFile.ts";

const NODES = [1, 2, 3, 4, 5].map((fill) => nodeKeyFromSeed(new Uint8Array(32).fill(fill)));
const entry = (index: number) => ({
  key: NODES[index]?.publicKey ?? "",
  name: `node${index}`,
  address: `10.0.0.${index + 1}:26600`,
});
const CURRENT = [0, 1, 2, 3].map(entry);
const FILE: ProposalFile = {
  chainId: "ab".repeat(32),
  proposal: { base: "cd".repeat(32), changesBefore: 2, producers: [...CURRENT, entry(4)] },
  approvals: [],
};

function errorOf(text: string): string {
  const parsed = parseProposal(text);
  return parsed.ok ? "" : parsed.error;
}

describe("a proposal on its way from operator to operator", () => {
  const both = NODES.slice(0, 2).reduce(approved, FILE);

  it("keeps what is proposed and who has approved", () => {
    const parsed = parseProposal(proposalText(both));
    expect(parsed).toEqual({ ok: true, value: both });
    expect(decodeProducerChange(payloadOf(both))).toEqual({ proposal: both.proposal, approvals: both.approvals });
    expect(approved(both, NODES[0] as (typeof NODES)[number]).approvals).toHaveLength(2);
  });

  it("whose set, base, number of changes or chain was altered has no approval", () => {
    const text = proposalText(both);
    for (const [from, to] of [
      ["ab".repeat(32), "ba".repeat(32)],
      ["cd".repeat(32), "dc".repeat(32)],
      ['"changesBefore": 2', '"changesBefore": 3'],
      ["10.0.0.5:26600", "10.0.0.6:26600"],
      ['"node4"', '"node5"'],
    ] as const) {
      expect(text).toContain(from);
      expect(errorOf(text.replace(from, to))).toContain("is not one of this proposal");
    }
    const key = NODES[0]?.publicKey as string;
    const other = NODES[3]?.publicKey as string;
    expect(errorOf(text.replace(`"producer": "${key}"`, `"producer": "${other}"`))).toContain(other);
  });

  it("is refused with the place of its fault", () => {
    expect(errorOf("{")).toContain("is not JSON");
    expect(errorOf(proposalText(FILE).replace('"format"', '"fromat"'))).toContain("format: is missing");
    const nobody = { ...FILE, proposal: { ...FILE.proposal, producers: [] } };
    expect(errorOf(proposalText(nobody))).toContain("producers");
  });

  it("is put together with the approvals of another copy, and with no other proposal", () => {
    const [one, two] = [approved(FILE, NODES[0] as never), approved(FILE, NODES[1] as never)];
    expect(merged(one, two)?.approvals.map(({ producer }) => producer)).toEqual([
      NODES[0]?.publicKey,
      NODES[1]?.publicKey,
    ]);
    expect(merged(one, one)?.approvals).toHaveLength(1);
    expect(merged(one, { ...two, proposal: { ...FILE.proposal, changesBefore: 3 } })).toBeUndefined();
  });

  it("counts approvals of the set only, and names those of others", () => {
    const byStranger = approved(both, NODES[4] as never);
    const { have, open, foreign } = tally(byStranger, CURRENT);
    expect([have, open.map(({ name }) => name), foreign]).toEqual([2, ["node2", "node3"], [NODES[4]?.publicKey]]);
  });
});

describe("the set that flags ask for", () => {
  const namesOf = (flags: SetFlags): string[] => proposedSet(CURRENT, flags).map(({ name }) => name);
  const newcomer = `${NODES[4]?.publicKey},node4,10.0.0.5:26600`;

  it("adds at the end, removes, and replaces in place", () => {
    expect(proposedSet(CURRENT, { add: [newcomer] })).toEqual([...CURRENT, entry(4)]);
    expect(namesOf({ remove: ["node1", (NODES[3]?.publicKey ?? "").slice(0, 8)] })).toEqual(["node0", "node2"]);
    expect(namesOf({ replace: [`node1=${newcomer}`] })).toEqual(["node0", "node4", "node2", "node3"]);
    expect(proposedSet(CURRENT, { add: [NODES[4]?.publicKey ?? ""] }).at(-1)).toMatchObject({ name: "", address: "" });
  });

  it.each([
    [{ remove: ["node9"] }, "is no producer"],
    [{ add: [NODES[0]?.publicKey ?? ""] }, "a producer twice"],
    [{ add: ["0123"] }, "64 lower-case hex digits"],
    [{ add: [`${NODES[4]?.publicKey},node4,nowhere`] }, "HOST:PORT"],
    [{ replace: ["node1"] }, "OLD=NEW"],
    [{ remove: ["node0", "node1", "node2", "node3"] }, "no producer would be left"],
  ])("refuses %j", (flags, message) => {
    expect(() => proposedSet(CURRENT, flags)).toThrow(message);
  });
});

describe("whether a quorum would be left, as a node sees it", () => {
  const states = ["self", "active", "faulty", "active"] as const;
  const producers = {
    producers: CURRENT.map((each, index) => ({ ...each, state: states[index] })),
    config: makeConfiguration(CURRENT.map(({ key }) => key)).hash,
  } as unknown as Producers;
  const peersWith = (...keys: string[]) =>
    ({ peers: keys.map((key) => ({ key, height: 90 })), off: [] }) as unknown as Peers;
  const sight = { engine: "raft", producers, peers: peersWith(), head: 100, ownWords: new Map() } as const;

  it("counts producers that are up and peers that are not far behind", () => {
    expect(quorumFaults(CURRENT.slice(0, 3), sight)).toEqual([]);
    expect(quorumFaults([...CURRENT.slice(1, 3), entry(4)], sight)).toEqual([
      `1 of 3 producers of the new set are up, 2 must be: node2 is faulty; node4 is no peer of this node`,
    ]);
    const seen = { ...sight, peers: peersWith(entry(4).key) };
    expect(quorumFaults([...CURRENT.slice(1, 3), entry(4)], seen)).toEqual([]);
    expect(quorumFaults([...CURRENT.slice(1, 3), entry(4)], { ...seen, head: 5_000 })).toHaveLength(1);
  });

  it("does not count who is recovering by its own word, however active others find it", () => {
    const heard = (status: "recovering" | "follower") => ({ ...sight, ownWords: new Map([[entry(1).key, status]]) });
    expect(quorumFaults(CURRENT.slice(0, 3), heard("follower"))).toEqual([]);
    expect(quorumFaults(CURRENT.slice(1, 3), heard("recovering")).at(-1)).toBe(
      "0 of 2 producers of the new set are up, 2 must be: node1 is recovering, by its own word; node2 is faulty",
    );
  });

  it("of the set that is left, too, and of more producers where they may lie", () => {
    const one = { ...sight, producers: { ...producers, producers: producers.producers.slice(1, 3) } };
    expect(quorumFaults([entry(1)], one)[0]).toContain("1 of 2 producers of the set in force are up");
    expect(quorumFaults(CURRENT.slice(0, 3), { ...sight, engine: "bft" })[0]).toContain("of the new set");
  });
});
