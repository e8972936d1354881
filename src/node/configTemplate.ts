/** The `config.toml` that `init` and `testnet` write: every setting with its default, those that were chosen set. */
import { environmentName, type Setting, SETTINGS, type SettingName, type SettingValue } from "./settings.ts";

const HEADER = `# Settings of a Cairn node. A line that begins with # shows a default; take the # away to change it.
# Flags override environment variables, which override this file: \`cairn config show DIR\` tells which value holds.
# The environment variable of a setting is CAIRN_ with section and name: http.listen is ${environmentName("http.listen")}.
`;

/** TOML text in which `chosen` settings are set and all others are shown as comments. */
export function configTemplate(chosen: Partial<Record<SettingName, SettingValue>>): string {
  let text = HEADER;
  let section = "";
  for (const setting of SETTINGS as readonly Setting[]) {
    const dot = setting.name.indexOf(".");
    const name = setting.name.slice(dot + 1);
    if (setting.name.slice(0, dot) !== section) {
      section = setting.name.slice(0, dot);
      text += `\n[${section}]\n`;
    }
    const value = chosen[setting.name as SettingName];
    text += `# ${setting.about}\n`;
    text += value === undefined ? `# ${name} = ${tomlValue(setting.default)}\n` : `${name} = ${tomlValue(value)}\n`;
  }
  return text;
}

function tomlValue(value: SettingValue): string {
  if (typeof value === "string") return tomlString(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return value.length === 0 ? "[]" : `[${value.map(tomlString).join(", ")}]`;
}

/** A basic string: JSON's escapes are TOML's, but for DEL, which JSON leaves as it is. */
function tomlString(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007f");
}
