/** The flags of `start` and `config show` that override settings. */
import { type Command, Option } from "commander";
import { type ConfigSources, didYouMean, type FlagValue, fromText } from "../config.ts";
import { nearestName } from "../nearestName.ts";
import { settingOf, type SettingName, SETTINGS, type SettingValue } from "../settings.ts";
import { CliError, EXIT } from "./error.ts";

/** Short ways to say `--set name=value`. */
const FLAGS: readonly { readonly flag: string; readonly option: string; readonly name: SettingName; readonly about: string }[] = [
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
  for (const { flag, about } of FLAGS) command.option(`${flag} <value>`, about);
  return command
    .addOption(new Option("--peer <address>", "a node to connect to; may be repeated").argParser(collect))
    .addOption(new Option("--set <name=value>", "any setting of config.toml; may be repeated").argParser(collect));
}

/** What the flags say, with the environment. Throws CliError for a `--set` that is none. */
export function settingSources(options: SettingOptions): ConfigSources {
  const flags: Partial<Record<SettingName, FlagValue>> = {};
  for (const { flag, option, name } of FLAGS) {
    const value = options[option];
    if (typeof value === "string") flags[name] = { flag, value };
  }
  if (options.peer !== undefined) flags["p2p.peers"] = { flag: "--peer", value: options.peer };
  for (const text of options.set ?? []) {
    const [name, value] = readSet(text);
    flags[name] = { flag: `--set ${name}`, value };
  }
  return { environment: process.env, flags };
}

function readSet(text: string): [SettingName, SettingValue] {
  const equals = text.indexOf("=");
  const name = text.slice(0, Math.max(equals, 0));
  if (equals < 1) throw new CliError(EXIT.usage, `--set ${text}: must be name=value, such as --set consensus.heartbeatMs=50`);
  const setting = settingOf(name);
  if (setting === undefined) {
    const names = SETTINGS.map((known) => known.name);
    throw new CliError(EXIT.usage, `--set ${text}: there is no setting ${JSON.stringify(name)}${didYouMean(nearestName(name, names))}`);
  }
  return [setting.name as SettingName, fromText(setting, text.slice(equals + 1)) as SettingValue];
}
