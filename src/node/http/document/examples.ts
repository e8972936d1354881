/** Answers of a node, as examples for `/openapi.json`: one chain, whose second block holds one put. */

export const ID = "268d8c2c3cc406b4b2ff6f38669651e44077c5f1de5069d2c05bd4a38dbb421b";
export const BLOCK_ID = "32bacecddfd9dddd88cb61c638671d0cfe68e26fa79b97a84e7ac41448939c62";
const PARENT_ID = "1ac5bc70715a1e3dcc0d5712d5b76aad2e8696a877da731f86606ee0b7e545ab";
const KEY = "0327893196eaa2d196402b929dba15ef555819dccd114c122a5c1aa06e960a2d";
const CHAIN_ID = "dcc35e7d9b806e341443e15b1792423e3d481dafd5c30067b32ba4fd4cc55d43";
export const PEER_KEY = "eb5f4c0a39492b3bcf994620e7f8ae9fb842ade30ba69c22c7bde02d6b4066b2";

export const STATUS = {
  chainId: CHAIN_ID,
  name: "devnet",
  node: { id: KEY, key: KEY, name: "node0", role: "producer", version: "0.1.0" },
  consensus: {
    engine: "raft",
    view: 1,
    leader: KEY,
    producers: [{ name: "node0", key: KEY }],
    faulty: [],
    status: "leader",
  },
  head: { height: 2, id: BLOCK_ID, view: 1, time: 1795634729256 },
  irreversible: { height: 2, id: BLOCK_ID, time: 1795634729256 },
  sync: { state: "synced", target: 2, rate: 0 },
  peers: 1,
  mempool: { count: 0, bytes: 0 },
};

const OPERATION = { put: { key: "greeting", value: "hello" } };

const CONTENT = {
  bytes: "ChUKEwoRCghncmVldGluZxIFaGVsbG8SEB9YJgZ2nHROSNXb7K2mC24Y14ywoaE0",
  nonce: "1f582606769c744e48d5dbecada60b6e",
  expiresAt: 1795634759255,
  payload: "ChMKEQoIZ3JlZXRpbmcSBWhlbGxv",
  operations: [OPERATION],
};
const RECEIPT = { ok: true, version: 2 };

export const BLOCK = {
  height: 2,
  id: BLOCK_ID,
  status: "irreversible",
  header: {
    height: 2,
    parent: PARENT_ID,
    view: 1,
    producer: KEY,
    time: 1795634729256,
    transactionRoot: ID,
    receiptRoot: "30c8292b9c5f362a31d3832f80c9c367ca485a0193aaefc896e2df3e73aa0d6d",
    stateHash: "3ca9f9138cbc724e6b5bd50c690485e3eeca05d25f0aa7cca42d36f62ea998a7",
    historyRoot: "bd8ffc166a9aa9f97bfd18db476db965496f171e3f46e175793e860adbeadf01",
    irreversibleHeight: 1,
    config: "5f049c9264c173fd47c8a7b9708b635b1cf8a16869956eaeb5f4070df2b6a404",
    closing: false,
  },
  signature: "6xtOeS9DrLbSWJfz3-GGKRft8wqHGw_sSeydHYxiv2mj9kR-f1Lvmi5YUHR6HYl7ctcxSdIfn49B0wpf1hmSAQ",
  certificate:
    "CAES-wEIAhIgGsW8cHFaHj3MDVcS1bdqrS6Glqh32nMfhmBu4LflRasYASIgAyeJMZbqotGWQCuSnboV71VYGdzNEUwSKlwaoG6WCi0oqKKuoaE0MiAmjYwsPMQGtLL_bzhmllHkQHfF8d5QadLAW9SjjbtCGzogMMgpK5xfNiox04MvgMnDZ8pIWgGTqu_IluLfPnOqDW1CIDyp-ROMvHJOa1vVDGkEhePuygXSXwqnzKQtNvYuqZinSiC9j_wWapqp-Xv9GNtHbbllSW8XHj9G4XV5PoYK2-rfAVABWiBfBJySZMFz_UfIp7lwi2NbHPihaGmVbq619AcN8rakBBpkCiADJ4kxluqi0ZZAK5KduhXvVVgZ3M0RTBIqXBqgbpYKLRpACW6c32An1VzLp6Ryqe5gfFnwbyl2tAc-6zf7SW3dxcxIjB3UPDRslblButhAIHnlhzlQ9W5hgZpfEQ_hs9BTCQ",
  transactionCount: 1,
  transactions: [{ id: ID, index: 0, ...CONTENT }],
  receipts: [RECEIPT],
};

/** Block 0's header in base64url is long; what follows has the shape and not the hashes of one chain. */
const PROVEN = {
  chainId: CHAIN_ID,
  historyPath: [PARENT_ID],
  certificate: BLOCK.certificate,
};
const HEADER = "CAESINzDXn2bgG40FEPhWxeSQj49SB2v1cMAZ7MrpP1MxV1DIiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACgB";

export const BLOCK_PROOF = { format: "cairn-block-proof-1", height: 1, header: HEADER, ...PROVEN };
export const HEAD_PROOF = {
  format: "cairn-head-proof-1",
  from: 1,
  fromHeader: HEADER,
  consistencyPath: [PARENT_ID],
  ...PROVEN,
};

export const PRODUCERS_PROOF = {
  format: "cairn-producers-proof-1",
  chainId: CHAIN_ID,
  above: 0,
  changes: [
    { header: HEADER, producers: [KEY, PEER_KEY], historyPath: PROVEN.historyPath, certificate: PROVEN.certificate },
  ],
};

export const BLOCKS = { blocks: [BLOCK], next: null };

export const FORKS = {
  height: 2,
  id: BLOCK_ID,
  parent: PARENT_ID,
  view: 1,
  producer: KEY,
  time: 1795634729256,
  transactions: 1,
  isHead: true,
  onBestChain: true,
  children: [],
};

export const RESULT = { id: ID, status: "irreversible", height: 2, index: 0, receipt: RECEIPT };

export const TRANSACTION = { ...RESULT, blockId: BLOCK_ID, transaction: CONTENT };

const ENTRY = { key: "greeting", value: "aGVsbG8", text: "hello", version: 2 };
export const KV = { ...ENTRY, height: 2 };
export const KV_LIST = { entries: [ENTRY], height: 2, more: true, next: "Z3JlZXRpbmc" };

export const PEERS = {
  peers: [
    {
      key: PEER_KEY,
      name: "node1",
      role: "follower",
      address: "/ip4/127.0.0.1/tcp/26610",
      direction: "inbound",
      rttMs: 0.9,
      connectedAt: 1795634729028,
      state: "up",
      score: 0,
      faulty: false,
      off: false,
      lanes: {
        urgent: {
          queuedBytes: 0,
          bytesIn: 4132,
          bytesOut: 6001,
          framesIn: 31,
          framesOut: 40,
          drops: 0,
          creditWaits: 0,
        },
        chain: { queuedBytes: 0, bytesIn: 3142, bytesOut: 4040, framesIn: 9, framesOut: 12, drops: 0, creditWaits: 3 },
        bulk: { queuedBytes: 0, bytesIn: 0, bytesOut: 0, framesIn: 0, framesOut: 0, drops: 0, creditWaits: 0 },
      },
      phase: "idle",
      height: 2,
      bytesIn: 7274,
      bytesOut: 10041,
    },
  ],
  off: [{ key: KEY, name: "node0" }],
};

export const ROUTES = {
  routes: [
    {
      producer: KEY,
      name: "node0",
      via: PEER_KEY,
      metric: 103,
      seqno: "01a2131a2b3c0001",
      candidates: [{ via: PEER_KEY, metric: 103, feasible: true }],
    },
  ],
};

export const PRODUCERS = {
  producers: [
    { key: KEY, name: "node0", address: "127.0.0.1:26600", state: "self" },
    {
      key: PEER_KEY,
      name: "node1",
      address: "127.0.0.1:26610",
      state: "faulty",
      because: "silent",
      since: 1795634739256,
      heardAt: 1795634729256,
    },
  ],
  config: BLOCK_ID,
  activeFrom: 0,
  changes: 1,
  approval: { rule: "quorum", needed: 2 },
  change: {
    height: 2,
    irreversible: false,
    producers: [{ key: KEY, name: "node0", address: "127.0.0.1:26600" }],
  },
};

/** Of two commits at one place; under BFT. */
export const EVIDENCE = {
  evidence: [
    {
      format: "cairn-producer-evidence-1",
      chainId: CHAIN_ID,
      kind: "twoVotes",
      producer: "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
      view: 1,
      height: 2,
      first: {
        what: "commit",
        view: 1,
        height: 2,
        id: BLOCK_ID,
        digest: "c4f2c82bbe3870e7db32cf7fc29215b14a68a8a96233c09af0f8be183862aef0",
        signature: "_Ur6wNhNhyKbCwYUVm7R9LgkoGJi_Zc-FZv2oi30fYV_Sf_CY1RGP-bOIlFzAInM8n0AY3hIfRlFTXC_y2nJDg",
      },
      second: {
        what: "commit",
        view: 1,
        height: 2,
        id: ID,
        digest: "a1af56eb5cdd634f1f4fe1e16ba51ce55648adea62fdd232d2f9ffd144cf977d",
        signature: "jo_pO13yWgCCdYk9jZ_BjCMM18nsUmQbU6JFodOCielLrXDbwTXO-0NsnmBlfdR-JfuiamdASax8R4aZqO_dDA",
      },
      evidence:
        "Ev4BCiDqSmxj4pxSCr71UHsTLsX5lUd2rr6-e5JCHuppFEbSLBJsCAESJggBEAIaIDK6zs3f2d3diMthxjhnHQz-aOJvp5uXqE56xBRIk5xiGkD9SvrA2E2HIpsLBhRWbtH0uCSgYmL9lz4Vm_aiLfR9hX9J_8JjVEY_5s4iUXMAiczyfQBjeEh9GUVNcL_LackOGmwIARImCAEQAhogJo2MLDzEBrSy_284ZpZR5EB3xfHeUGnSwFvUo427QhsaQI6P6Ttd8loAgnWJPY2fwYwjDNfJ7FJkG1OiRaHTgonpS61w28E1zvtDbJ5gZX3UfiX7ompnQEmsfEeGmajv3Qw",
    },
  ],
};

export const GENESIS = {
  name: "devnet",
  time: 1795634723610,
  engine: "raft",
  producers: [{ name: "node0", key: KEY, address: "127.0.0.1:26600" }],
  application: { name: "kv", initialState: {} },
  limits: {
    blockBytes: 4194304,
    blockTransactions: 20000,
    transactionBytes: 1048576,
    expiryAheadMs: 60000,
    duplicateWindowCount: 8000000,
    clockToleranceMs: 1000,
    signaturesRequired: false,
  },
};

export const METRICS = `# HELP cairn_consensus_height Height of the last irreversible block.
# TYPE cairn_consensus_height gauge
cairn_consensus_height 2
`;

export const EVENTS = `retry: 1000

id: 2
data: ${JSON.stringify(BLOCK)}

: keep-alive

`;

const LATER = { nonce: CONTENT.nonce, expiresAt: CONTENT.expiresAt };
/** Bodies of a submission, by what they show. */
export const SUBMISSIONS = {
  put: OPERATION,
  delete: { delete: { key: { base64url: "_wA" } } },
  compareAndSet: { compareAndSet: { key: "greeting", expectedVersion: 2, value: "hi" } },
  atomic: [OPERATION, { delete: { key: "farewell" } }],
  repeatable: { operations: [OPERATION], ...LATER },
};

export const BATCH = `${JSON.stringify(OPERATION)}\n${JSON.stringify(SUBMISSIONS.atomic)}\n`;
export const BATCH_RESULT = `${JSON.stringify(RESULT)}\n${JSON.stringify({ id: PARENT_ID, status: "pending" })}\n`;
