import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acquireLock } from "../../../src/node/storage/lock.ts";
import { removeDirectory, temporaryDirectory } from "./fixtures.ts";

let dir: string;
beforeEach(() => void (dir = temporaryDirectory()));
afterEach(() => removeDirectory(dir));

/** A process that takes the lock, forgets the object that stands for it, says so and stays. */
async function spawnHolder() {
  const module = fileURLToPath(new URL("../../../src/node/storage/lock.ts", import.meta.url));
  const program = `
    const { acquireLock } = await import(${JSON.stringify(module)});
    acquireLock(${JSON.stringify(dir)});
    for (let i = 0; i < 3; i++) { await new Promise(setImmediate); gc(); }
    console.log("held");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--expose-gc", "--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return child;
}

test("a second process is refused with LOCKED and told which process holds the directory, also after a garbage collection there", async () => {
  const holder = await spawnHolder();
  try {
    expect(() => acquireLock(dir)).toThrow(
      expect.objectContaining({ code: "LOCKED", message: expect.stringContaining(`process ${holder.pid}`) as string }),
    );
  } finally {
    holder.kill("SIGKILL");
    await once(holder, "exit");
  }
});

test("the lock of a process that was killed is free at once", async () => {
  const holder = await spawnHolder();
  holder.kill("SIGKILL");
  await once(holder, "exit");
  acquireLock(dir).release();
});

test("the same process cannot take a lock twice, and can again after release", () => {
  const lock = acquireLock(dir);
  expect(() => acquireLock(dir)).toThrow(/this process/);
  lock.release();
  lock.release();
  acquireLock(dir).release();
});

test("a missing directory is CANNOT_OPEN, a lock file that is no database DAMAGED with what to do", () => {
  expect(() => acquireLock(join(dir, "missing"))).toThrow(expect.objectContaining({ code: "CANNOT_OPEN" }));
  writeFileSync(join(dir, "lock"), "x".repeat(5000));
  expect(() => acquireLock(dir)).toThrow(
    expect.objectContaining({ code: "DAMAGED", message: expect.stringContaining("delete this file") as string }),
  );
});
