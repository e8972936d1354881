/**
 * Started by crash.test.ts to be killed: goes on with the sequence where the directory ends, as fast as it can,
 * and says on standard output what was acknowledged: "token N" for chain.db, "applied N" for state.db.
 */
import { writeSync } from "node:fs";
import { ChainStore } from "../../../src/node/storage/chainStore.ts";
import { DerivedStore } from "../../../src/node/storage/derivedStore.ts";
import { derivedWrite, irreversibleAfter, recordToken, sequenceWrite } from "./sequence.ts";

const IN_FLIGHT = 30;
const dir = process.argv[2]!;
const chainId = process.argv[3]!;

function fail(error: unknown): never {
  writeSync(2, `${String(error)}\n`);
  process.exit(1);
}

const derived = await DerivedStore.open(
  dir,
  { onApplied: (height) => void writeSync(1, `applied ${height}\n`), onError: fail },
  { chainId, index: true },
);

let applied = derived.appliedHeight() ?? 0;
function applyUpTo(height: number): void {
  while (applied < height) derived.apply(derivedWrite(++applied));
}

function onPersisted(token: number): void {
  writeSync(1, `token ${token}\n`);
  applyUpTo(irreversibleAfter(token));
  while (posted < token + IN_FLIGHT) chain.persist(sequenceWrite(++posted));
}

const chain = await ChainStore.open(dir, { onPersisted, onError: fail });
const { record } = chain.meta();
if (record.verdict !== "ok") fail(record.verdict);
let posted = recordToken(record.bytes);
for (let height = derived.indexedHeight()! + 1; height <= applied; height++) {
  derived.fillIndex([{ height, transactionIds: derivedWrite(height).blocks[0]!.transactionIds }]);
}
chain.persist(sequenceWrite(++posted));
