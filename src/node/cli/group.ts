import type { Command } from "commander";

/** A command that others are below, made once, whoever comes first. */
export function group(program: Command, name: string, description: string): Command {
  return program.commands.find((command) => command.name() === name) ?? program.command(name).description(description);
}

export const PRODUCERS = ["producers", "the set of producers, and changes of it"] as const;
