import { expect, test } from "vitest";
import { runContract } from "../../tools/contract/run.ts";

/** Documented errors that no request from outside leads to in a short time; the tests of src/node/http have them. */
const ELSEWHERE = [
  "AMBIGUOUS_ID",
  "AUTHOR_MISSING",
  "BEHIND",
  "BLOCKS_GONE",
  "BLOCK_IRREVERSIBLE",
  "BODY_TOO_LARGE", // sent as well, but a reset may overtake the answer
  "BUDGET_EXCEEDED",
  "BUSY",
  "CHANGE_UNDER_WAY",
  "HEADERS_TOO_LARGE",
  "INTERNAL",
  "INVALID_CONTENT_LENGTH",
  "NOT_IMPLEMENTED", // under engines whose reads are not certified
  "NOT_READY",
  "NO_KV",
  "NO_PROOF", // seen or not by timing: once its block is certified a transaction has a proof
  "NO_TOPICS",
  "REQUEST_TIMEOUT",
  "STOPPING",
  "TOO_MANY_OFF",
  "TOO_MANY_REJECTED",
  "TOO_MANY_STREAMS",
  "TRANSACTION_FAILED",
];

test("a node answers as its OpenAPI document says, whatever is asked, and serves on", async () => {
  const { faults, requests, unseen } = await runContract({ basePort: 29_400, slow: false, note: () => undefined });
  expect(faults).toEqual([]);
  expect(requests).toBeGreaterThan(800);
  expect(unseen.filter((name) => !ELSEWHERE.includes(name))).toEqual([]);
}, 300_000);
