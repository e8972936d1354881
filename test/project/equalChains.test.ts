import { expect, test } from "vitest";
import { differences, type StoppedNode } from "../../tools/network/equalChains.ts";

function stopped(
  name: string,
  blockIds: readonly string[],
  transactions: readonly string[] = ["t"],
  state = { height: blockIds.length, digest: `d${blockIds.length}` },
): StoppedNode {
  return { name, chain: { blockIds, transactionCounts: new Map(transactions.map((id) => [id, 1])) }, state };
}

test("equal nodes do not differ", () => {
  expect(differences([stopped("a", ["1", "2"]), stopped("b", ["1", "2"])])).toEqual([]);
});

test("a chain may end earlier than another by blocks without transactions", () => {
  expect(differences([stopped("a", ["1", "2"]), stopped("b", ["1", "2", "3"]), stopped("c", ["1"])])).toEqual([]);
});

test("a chain that ends before a transaction that another one has decided is named", () => {
  const faults = differences([stopped("a", ["1"], ["t"]), stopped("b", ["1", "2"], ["t", "u"])]);
  expect(faults).toEqual(["a: ends at block 1 with 1 transactions, 2 decided"]);
});

test("chains that part are named, whichever is longer", () => {
  const longer = stopped("a", ["1", "2", "3"]);
  const other = stopped("b", ["1", "x"]);
  expect(differences([longer, other])).toEqual(["b: parts from a at block 2"]);
  expect(differences([other, longer])).toEqual(["b: parts from a at block 2"]);
});

test("states of one block that differ are named, and a state that is not of its chain's end", () => {
  const one = stopped("a", ["1"]);
  expect(differences([one, stopped("b", ["1"], ["t"], { height: 1, digest: "x" })])).toEqual([
    "b: another state at block 1 than a",
  ]);
  expect(differences([one, stopped("b", ["1"], ["t"], { height: 0, digest: "d0" })])).toEqual([
    "b: state of block 0, chain of 1",
  ]);
});
