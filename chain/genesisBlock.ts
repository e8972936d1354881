/** Block 0: derived from the genesis by every node, never sent. */
import { EMPTY_BYTES, toHex } from "../src/base/bytes.ts";
import { sha256Hex } from "../src/base/hash.ts";
import type { Application } from "./application.ts";
import type { Block } from "./block.ts";
import { EMPTY_LIST } from "./byteList.ts";
import type { Genesis } from "./genesis.ts";
import { headerMessage } from "./header.ts";
import { EMPTY_ROOT } from "./merkle.ts";
import { nextStateHash, NO_STATE_HASH, State, type StateChange } from "./state.ts";

const ZERO_KEY = toHex(new Uint8Array(32));

/** Block 0 and the state it starts the chain with. Certified and closing by definition. */
export function makeGenesisBlock(genesis: Genesis, application: Application): { block: Block; changes: StateChange[] } {
  const state = new State({ get: () => undefined, range: () => [] }, -1);
  state.beginBlock(0);
  application.initialize(genesis.initialState, state);
  state.commitTransaction();
  const { undo, digest } = state.endBlock();
  const emptyRoot = toHex(EMPTY_ROOT);
  const header = {
    height: 0,
    parent: genesis.chainId,
    view: 0,
    producer: ZERO_KEY,
    time: genesis.time,
    transactionRoot: emptyRoot,
    receiptRoot: emptyRoot,
    stateHash: nextStateHash(NO_STATE_HASH, digest),
    historyRoot: emptyRoot,
    irreversibleHeight: 0,
    configuration: genesis.configuration.hash,
    closing: true,
  };
  const headerBytes = headerMessage.encode(header);
  const block: Block = {
    id: sha256Hex(headerBytes),
    header,
    headerBytes,
    signature: new Uint8Array(64),
    body: EMPTY_BYTES,
    transactions: EMPTY_LIST,
    transactionIds: EMPTY_BYTES,
  };
  return { block, changes: state.netChanges([undo], [], 0) };
}
