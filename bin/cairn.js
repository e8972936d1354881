#!/usr/bin/env node
// The command `cairn`. Plain JavaScript in syntax that old Node versions read, so that the wrong version gets a
// sentence and not a stack trace. The work is done in src/node/cli/main.ts, built to dist/.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const MIN_NODE = [22, 12];
const WRONG_USAGE = 2;
const STARTED_BY_OLD_NODE = "CAIRN_STARTED_BY_OLD_NODE";
// MiB a semi-space. A young generation that outgrows the processor's cache is collected in 10 to 25 ms, during which no
// vote leaves (docs/performance.md); Node's default grows to several times this.
const YOUNG_GENERATION = "--max-semi-space-size=4";
const LONG_RUNNING = ["start", "bench"];

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

if (nodeIsRecentEnough()) {
  // The same process, begun again, where Node can do that (from 22.15 on, not on Windows).
  if (boundsYoungGeneration() && process.execve !== undefined && process.platform !== "win32")
    process.execve(process.execPath, [process.execPath, ...nodeArguments()], process.env);
  await runHere();
} else if (existsSync(here("../node_modules/node/bin/node"))) runUnder(here("../node_modules/node/bin/node"));
else {
  refuse(
    `cairn needs Node.js ${MIN_NODE.join(".")} or newer; this is ${process.versions.node}.`,
    "Install a newer Node.js, or run `npm ci` in the checkout: it brings one along.",
  );
}

function nodeIsRecentEnough() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  return major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1]);
}

/** Whether the flag is missing; what the user says goes. */
function boundsYoungGeneration() {
  const said = [...process.execArgv, process.env["NODE_OPTIONS"] || ""].join(" ");
  return LONG_RUNNING.includes(process.argv[2]) && !/max[-_]semi[-_]space[-_]size/.test(said);
}

function nodeArguments() {
  const flags = boundsYoungGeneration() ? [YOUNG_GENERATION] : [];
  return [...flags, ...process.execArgv, ...process.argv.slice(1)];
}

async function runHere() {
  if (STARTED_BY_OLD_NODE in process.env) dieWithParent();
  const main = new URL("../dist/src/node/cli/main.js", import.meta.url);
  if (!existsSync(fileURLToPath(main))) {
    refuse("cairn is not built: dist/ is missing.", "Run `npm run build` in the checkout.");
    return;
  }
  const cli = await import(main.href);
  process.exitCode = await cli.main(process.argv.slice(2));
  // A node has closed what it had. A timer that libp2p leaves behind would hold the process for another second, in which
  // this producer is missing; standard error takes what is written at once.
  if (process.argv[2] === "start") process.exit();
}

/**
 * Runs this same command under another Node. What is signalled is this process, so signals are passed on; when it is
 * killed (`kill -9`), the closing of the channel between the two tells the other to die as suddenly.
 */
function runUnder(node) {
  const child = spawn(node, nodeArguments(), {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, [STARTED_BY_OLD_NODE]: "1" },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => refuse(`cairn cannot start ${node}: ${error.message}`, "Run `npm ci` again."));
  child.on("exit", (status, signal) => process.exit(signal === null ? status : 128 + constants.signals[signal]));
}

function dieWithParent() {
  delete process.env[STARTED_BY_OLD_NODE];
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  process.channel?.unref();
}

function refuse(...lines) {
  for (const line of lines) console.error(line);
  process.exitCode = WRONG_USAGE;
}
