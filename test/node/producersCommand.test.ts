/** `cairn producers approve`: signing a proposal, which asks no node. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { CliError, EXIT } from "../../src/node/cli/error.ts";
import { producersApproveCommand } from "../../src/node/cli/producers.ts";
import { readGenesisFile } from "../../src/node/genesisFile.ts";
import { createNetwork } from "../../src/node/network.ts";
import { parseProposal, proposalText } from "../../src/node/proposalFile.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-approve-"));
const file = join(root, "proposal.json");
let keys: readonly string[];
let unsigned: string;

function network(name: string): readonly { readonly dir: string; readonly key: string }[] {
  const plan = {
    name,
    engine: "raft",
    producers: 2,
    followers: 0,
    basePort: 20_000,
    hosts: ["127.0.0.1"],
    time: 1,
  } as const;
  const made = createNetwork(join(root, name), plan);
  if (!made.ok) throw new Error(made.error.messages.join());
  return made.value;
}

beforeAll(() => {
  keys = network("one").map(({ key }) => key);
  network("other");
  const genesis = readGenesisFile(join(root, "one/node0/genesis.json"));
  if (!genesis.ok) throw new Error(genesis.error.message);
  const producers = [{ key: keys[0] ?? "", name: "node0", address: "127.0.0.1:20000" }];
  const proposal = { base: "ab".repeat(32), changesBefore: 0, producers };
  unsigned = proposalText({ chainId: genesis.value.chainId, proposal, approvals: [] });
});
beforeEach(() => {
  writeFileSync(file, unsigned);
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

const approversIn = (path: string): string[] => {
  const parsed = parseProposal(readFileSync(path, "utf8"));
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value.approvals.map(({ producer }) => producer);
};

function failure(run: () => unknown): CliError {
  try {
    run();
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

test("operators sign one file in turn, twice is once, and another file where it is told", () => {
  for (const node of ["node0", "node1", "node0"])
    expect(producersApproveCommand(file, join(root, "one", node), {})).toBe(EXIT.ok);
  expect(approversIn(file).toSorted()).toEqual(keys.toSorted());
  writeFileSync(file, unsigned);
  const out = join(root, "signed.json");
  expect(producersApproveCommand(file, join(root, "one/node1"), { out })).toBe(EXIT.ok);
  expect([readFileSync(file, "utf8"), approversIn(out)]).toEqual([unsigned, [keys[1]]]);
});

test("a key of another chain, a damaged proposal and what is missing are refused, and nothing is written", () => {
  const other = failure(() => producersApproveCommand(file, join(root, "other/node0"), {}));
  expect([other.status, other.message]).toEqual([EXIT.usage, expect.stringContaining("the proposal is for chain")]);
  writeFileSync(file, unsigned.replace('"changesBefore"', '"changes"'));
  expect(failure(() => producersApproveCommand(file, join(root, "one/node0"), {})).message).toContain("changesBefore");
  const missing = failure(() => producersApproveCommand(join(root, "none.json"), join(root, "one/node0"), {}));
  expect([missing.status, missing.message]).toEqual([EXIT.unreachable, expect.stringContaining("does not exist")]);
  expect(failure(() => producersApproveCommand(file, root, {})).status).toBe(EXIT.unreachable);
});
