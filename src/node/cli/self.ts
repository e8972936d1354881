/** How this program starts itself again: built, or from its sources. */
import { fileURLToPath } from "node:url";

/**
 * As `bin/cairn.js` bounds the young generation of what runs long. It begins again for that, in the same process, in which a
 * channel to whoever started it is lost: whoever needs one says it at once.
 */
const LONG_RUNNING = "--max-semi-space-size=4";

/** Arguments for `process.execPath` that run `cairn` with `args`, for as long as this process is there. */
export function cairnArguments(args: readonly string[]): string[] {
  const isSource = import.meta.url.endsWith(".ts");
  // Built, this file is dist/src/node/cli/self.js.
  const script = new URL(isSource ? "./run.ts" : "../../../../bin/cairn.js", import.meta.url);
  return [LONG_RUNNING, fileURLToPath(script), ...args];
}
