/** Runs the command from its sources, without a build: `node src/node/cli/run.ts ...`. */
import { main } from "./main.ts";

process.exitCode = await main(process.argv.slice(2));
