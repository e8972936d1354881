/** What a command needs while it works is taken away when it is interrupted. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { makeScratch, removeScratch } from "../../tools/scratch.ts";

const MODULE = new URL("../../tools/scratch.ts", import.meta.url).href;
const WORK = `
  const { makeScratch } = await import(${JSON.stringify(MODULE)});
  const { writeFileSync } = await import("node:fs");
  const dir = makeScratch("cairn-scratch-");
  writeFileSync(dir + "/file", "");
  process.stdout.write(dir);
  setInterval(() => undefined, 1_000);
`;

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("after %s the directory is gone and the status says which signal it was", async (signal, status) => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", WORK], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  expect(existsSync(said.toString())).toBe(true);
  child.kill(signal);
  expect((await exited)[0]).toBe(status);
  expect(existsSync(said.toString())).toBe(false);
});

test("who has removed it listens to no signal any more", () => {
  const before = process.listenerCount("SIGINT");
  const dir = makeScratch("cairn-scratch-");
  expect([existsSync(dir), process.listenerCount("SIGINT")]).toEqual([true, before + 1]);
  removeScratch(dir);
  expect([existsSync(dir), process.listenerCount("SIGINT")]).toEqual([false, before]);
});
