/** `cairn config show DIR`: every setting, its value, where it came from. */
import { loadConfig, type ResolvedSetting, sourceText } from "../config.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import type { SettingOptions } from "./settingFlags.ts";
import { settingSources } from "./settingSources.ts";
import { print, printError, printJson, table } from "./terminal.ts";

export function configShowCommand(dir: string, flags: SettingOptions & { readonly json?: boolean }): ExitStatus {
  const loaded = loadConfig(dir, settingSources(flags));
  if (!loaded.ok) {
    const status = loaded.error.code === "CONFIG_UNREADABLE" ? EXIT.unreachable : EXIT.usage;
    throw new CliError(status, loaded.error.problems.join("\n"));
  }
  const { file, settings, warnings } = loaded.value;
  for (const warning of warnings) printError(`warning: ${warning}`);
  if (flags.json) printJson({ file, settings: settings.map(settingJson) });
  else print(table(["SETTING", "VALUE", "FROM"], settings.map(row)));
  return EXIT.ok;
}

function row(resolved: ResolvedSetting): string[] {
  return [resolved.setting.name, JSON.stringify(shown(resolved)), sourceText(resolved.source)];
}

function settingJson(resolved: ResolvedSetting) {
  const { setting, source } = resolved;
  return {
    name: setting.name,
    value: shown(resolved),
    default: setting.default,
    source: source.kind,
    from: sourceText(source),
  };
}

/** A secret is told to be there and no more. */
function shown({ setting, value }: ResolvedSetting) {
  return setting.isSecret === true && value !== "" ? "(hidden)" : value;
}
