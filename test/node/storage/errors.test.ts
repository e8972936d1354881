/** What the system says while a file is opened or read, as a storage error that tells what to do. */
import { expect, test } from "vitest";
import { toStorageError } from "../../../src/node/storage/errors.ts";

test.each([
  ["EACCES", "CANNOT_OPEN", /who may read and write it/],
  ["EPERM", "CANNOT_OPEN", /who may read and write it/],
  ["ENOSPC", "DISK_FULL", /make room/],
  ["EIO", "IO", /check the disk/],
])("%s of the system is %s", (code, expected, remedy) => {
  const error = toStorageError(Object.assign(new Error("said by the system"), { code }), "chain.db", "chain");
  expect([error.code, error.file, error.message]).toEqual([expected, "chain.db", expect.stringMatching(remedy)]);
});
