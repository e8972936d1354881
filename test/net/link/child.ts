// A link node in a process of its own: node child.ts SEED TARGET LIMITS. Prints "up" at its first link; lives until
// it is killed or its standard input ends.

import { initOf, startNode } from "./nodes.ts";

const [seed, target, limits] = process.argv.slice(2);
const node = await startNode({
  seed: Number(seed),
  // A process's nonces count from 1 in each: this one must differ from all of the test's.
  init: initOf({ name: "child", startNonce: "f".repeat(8) + process.pid.toString(16).padStart(8, "0") }),
  limits: JSON.parse(limits ?? "{}"),
});
if (target !== undefined) node.links.setTarget(target);
process.stdin.resume().once("end", () => process.exit(0));
await node.seen.first("up");
process.stdout.write("up\n");
