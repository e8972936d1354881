/** The flags of a `cairn bench` command: read, or an exit status when there is nothing to measure. */
import type { Command } from "commander";

/** @returns undefined: go on with `command.opts()`; an exit status after help (0) or a wrong flag (2), which was told */
export function parse(command: Command, argv: readonly string[]): 0 | 2 | undefined {
  command.exitOverride();
  try {
    command.parse([...argv], { from: "user" });
    return undefined;
  } catch (error) {
    const { code, exitCode } = error as { code?: string; exitCode?: number };
    return code === "commander.helpDisplayed" || exitCode === 0 ? 0 : 2;
  }
}
