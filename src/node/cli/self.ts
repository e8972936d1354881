/** How this program starts itself again: built, or from its sources. */
import { fileURLToPath } from "node:url";

/** Arguments for `process.execPath` that run `cairn` with `args`. */
export function cairnArguments(args: readonly string[]): string[] {
  const isSource = import.meta.url.endsWith(".ts");
  // Built, this file is dist/src/node/cli/self.js.
  const script = new URL(isSource ? "./run.ts" : "../../../../bin/cairn.js", import.meta.url);
  return [fileURLToPath(script), ...args];
}
