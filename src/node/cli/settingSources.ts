/** What the flags of `start` and `config show` set, with the environment. */
import { type ConfigSources, didYouMean, type FlagValue, fromText } from "../config.ts";
import { nearestName } from "../nearestName.ts";
import { settingOf, type SettingName, SETTINGS, type SettingValue } from "../settings.ts";
import { CliError, EXIT } from "./error.ts";
import { SETTING_FLAGS, type SettingOptions } from "./settingFlags.ts";

/** What the flags say, with the environment. Throws CliError for a `--set` that is none. */
export function settingSources(options: SettingOptions): ConfigSources {
  const flags: Partial<Record<SettingName, FlagValue>> = {};
  for (const { flag, option, name } of SETTING_FLAGS) {
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
  if (equals < 1)
    throw new CliError(EXIT.usage, `--set ${text}: must be name=value, such as --set consensus.heartbeatMs=50`);
  const setting = settingOf(name);
  if (setting === undefined) {
    const names = SETTINGS.map((known) => known.name);
    throw new CliError(
      EXIT.usage,
      `--set ${text}: there is no setting ${JSON.stringify(name)}${didYouMean(nearestName(name, names))}`,
    );
  }
  return [setting.name as SettingName, fromText(setting, text.slice(equals + 1)) as SettingValue];
}
