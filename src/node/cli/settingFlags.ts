/** The flags of `start` and `config show` that override settings. */
import { type Command, Option } from "commander";
import type { SettingName } from "../settings.ts";

/** Short ways to say `--set name=value`. */
export const SETTING_FLAGS: readonly {
  readonly flag: string;
  readonly option: string;
  readonly name: SettingName;
  readonly about: string;
}[] = [
  { flag: "--name", option: "name", name: "node.name", about: "the node's name" },
  { flag: "--listen", option: "listen", name: "p2p.listen", about: "where peers connect to: HOST:PORT or a multiaddr" },
  { flag: "--http", option: "http", name: "http.listen", about: "where HTTP is served: HOST:PORT" },
  { flag: "--token", option: "token", name: "http.token", about: "bearer token of writing endpoints" },
  { flag: "--log-level", option: "logLevel", name: "log.level", about: "debug, info, warn or error" },
  { flag: "--log-format", option: "logFormat", name: "log.format", about: "text or json" },
];

export interface SettingOptions {
  readonly peer?: readonly string[];
  readonly set?: readonly string[];
  readonly [option: string]: unknown;
}

export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Adds the flags to a command. */
export function withSettingFlags(command: Command): Command {
  for (const { flag, about } of SETTING_FLAGS) command.option(`${flag} <value>`, about);
  return command
    .addOption(new Option("--peer <address>", "a node to connect to; may be repeated").argParser(collect))
    .addOption(new Option("--set <name=value>", "any setting of config.toml; may be repeated").argParser(collect));
}
