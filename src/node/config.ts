/**
 * A node's settings: command line over environment (CAIRN_*) over `config.toml` over defaults. Each value is known with
 * where it came from; a name that is no setting is an error that tells the nearest one.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse as parseToml } from "smol-toml";
import { CONSENSUS_DEFAULTS, type ConsensusSettings } from "../../consensus/constants.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { LogFormat, LogLevel } from "./logging.ts";
import { nearestName } from "./nearestName.ts";
import {
  environmentName,
  LOOPBACK,
  parseHostPort,
  type Setting,
  settingOf,
  SETTINGS,
  type SettingName,
  type SettingValue,
} from "./settings.ts";
import { messageOf, systemCode, whyNotRead } from "./systemError.ts";
import { issueOf } from "./zodIssue.ts";

export interface Config {
  readonly name: string;
  readonly p2p: {
    /** `HOST:PORT` or a multiaddr. */
    readonly listen: string;
    readonly peers: readonly string[];
    readonly maxPeers: number;
    readonly outboundPeers: number;
    /** Empty: where it listens. */
    readonly announce: readonly string[];
  };
  readonly http: {
    readonly host: string;
    readonly port: number;
    /** Undefined: writing endpoints ask for none. */
    readonly token: string | undefined;
    readonly readyWithinBlocks: number;
  };
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  readonly index: { readonly enabled: boolean };
  readonly consensus: ConsensusSettings;
  /** Larger transactions are not taken here. */
  readonly transactionBytes: number;
}

export type SettingSource =
  | { readonly kind: "flag"; readonly flag: string }
  | { readonly kind: "environment"; readonly variable: string }
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "default" };

export interface ResolvedSetting {
  readonly setting: Setting;
  readonly value: SettingValue;
  readonly source: SettingSource;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly file: string;
  /** Every setting, in the order of the table. */
  readonly settings: readonly ResolvedSetting[];
  /** Things an operator should know that are no errors. */
  readonly warnings: readonly string[];
}

export interface ConfigError {
  readonly code: "CONFIG_UNREADABLE" | "CONFIG_NOT_TOML" | "CONFIG_INVALID" | "HTTP_NEEDS_TOKEN";
  /** Everything that is wrong, one sentence each, with setting and place. */
  readonly problems: readonly string[];
}

/** A value from the command line, with the flag as it was written. */
export interface FlagValue {
  readonly flag: string;
  readonly value: SettingValue;
}

export interface ConfigSources {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly flags?: Partial<Record<SettingName, FlagValue>>;
}

/** Variables that are no settings of a node. */
const OTHER_VARIABLES = new Set(["CAIRN_URL", "CAIRN_TOKEN", "CAIRN_STARTED_BY_OLD_NODE"]);

/** Reads `DIR/config.toml` and puts environment and flags over it. A missing file is an error. */
export function loadConfig(dir: string, sources: ConfigSources = {}): Result<LoadedConfig, ConfigError> {
  const file = join(dir, "config.toml");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const hint = systemCode(error) === "ENOENT" ? `; make a node's directory with: cairn init ${dir}` : "";
    return err({ code: "CONFIG_UNREADABLE", problems: [`${whyNotRead(file, error)}${hint}`] });
  }
  return resolveConfig(text, file, sources);
}

/** As {@link loadConfig}, of a text; `file` is what messages call it. */
export function resolveConfig(text: string, file: string, sources: ConfigSources): Result<LoadedConfig, ConfigError> {
  let fileValues: ReadonlyMap<string, unknown>;
  try {
    fileValues = leaves(parseToml(text));
  } catch (error) {
    return err({ code: "CONFIG_NOT_TOML", problems: [`${file}: is not TOML: ${messageOf(error).trimEnd()}`] });
  }
  const problems = [...fileValues.keys()].flatMap((name) => (settingOf(name) ? [] : [unknownSetting(name, file)]));
  const environment = readEnvironment(sources.environment ?? {});
  problems.push(...environment.problems);
  const settings: ResolvedSetting[] = [];
  for (const setting of SETTINGS) {
    const resolved = resolveSetting(setting, file, fileValues, environment.values, sources.flags ?? {});
    if (resolved.ok) settings.push(resolved.value);
    else problems.push(resolved.error);
  }
  if (problems.length > 0) return err({ code: "CONFIG_INVALID", problems });
  const config = configOf(new Map(settings.map(({ setting, value }) => [setting.name as SettingName, value])));
  const contradictions = contradictionsIn(config);
  if (contradictions.length > 0) return err({ code: "CONFIG_INVALID", problems: contradictions });
  const refused = needsToken(config, settings);
  if (refused !== undefined) return err({ code: "HTTP_NEEDS_TOKEN", problems: [refused] });
  return ok({ config, file, settings, warnings: environment.warnings });
}

/** Where a value came from, in words. */
export function sourceText(source: SettingSource): string {
  switch (source.kind) {
    case "flag":
      return `flag ${source.flag}`;
    case "environment":
      return `environment ${source.variable}`;
    case "file":
      return source.file;
    case "default":
      return "default";
  }
}

/** Tables of TOML as `section.name` to value. A table where a value belongs is left out by the check of its members. */
function leaves(table: Readonly<Record<string, unknown>>, prefix = ""): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const [key, value] of Object.entries(table)) {
    const name = `${prefix}${key}`;
    const isTable = typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
    const inner = isTable && !settingOf(name) ? leaves(value as Record<string, unknown>, `${name}.`) : undefined;
    // An empty table is fine when it is a section: the template has them. Any other is named.
    if (inner === undefined || (inner.size === 0 && !isSection(name))) found.set(name, value);
    else for (const [innerName, innerValue] of inner) found.set(innerName, innerValue);
  }
  return found;
}

const SECTIONS = new Set<string>(SETTINGS.map(({ name }) => name.slice(0, name.indexOf("."))));

function isSection(name: string): boolean {
  return SECTIONS.has(name);
}

function unknownSetting(name: string, where: string): string {
  return `${where}: there is no setting ${JSON.stringify(name)}${didYouMean(nearestSetting(name))}`;
}

/** The right name in the wrong section counts as near. */
function nearestSetting(name: string): string | undefined {
  const last = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  const names = SETTINGS.map((setting) => setting.name);
  const sameName = names.filter((known) => known.slice(known.indexOf(".") + 1).toLowerCase() === last);
  if (sameName.length === 1) return sameName[0];
  return nearestName(name, sameName.length > 0 ? sameName : [...names, ...SECTIONS]) ?? sameName[0];
}

export function didYouMean(name: string | undefined): string {
  return name === undefined ? "" : `; did you mean ${JSON.stringify(name)}?`;
}

interface EnvironmentValues {
  readonly values: ReadonlyMap<string, string>;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Other programs may own variables that begin with CAIRN_, so only a name near to a setting's is an error. */
function readEnvironment(environment: Readonly<Record<string, string | undefined>>): EnvironmentValues {
  const byVariable = new Map<string, string>(SETTINGS.map(({ name }) => [environmentName(name), name]));
  const values = new Map<string, string>();
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith("CAIRN_") || value === undefined || OTHER_VARIABLES.has(variable)) continue;
    const name = byVariable.get(variable);
    if (name !== undefined) {
      values.set(name, value);
      continue;
    }
    const near = nearestVariable(variable, [...byVariable.keys()]);
    if (near === undefined) warnings.push(`environment variable ${variable} is no setting and is ignored`);
    else problems.push(`environment: there is no setting ${JSON.stringify(variable)}${didYouMean(near)}`);
  }
  return { values, problems, warnings };
}

/** Without the prefix, which would make any two names look alike. */
function nearestVariable(variable: string, known: readonly string[]): string | undefined {
  const [start, ...names] = ["CAIRN_", ...known];
  const near = nearestName(
    variable.slice(start.length),
    names.map((name) => name.slice(start.length)),
  );
  return near === undefined ? undefined : `${start}${near}`;
}

function resolveSetting(
  setting: Setting,
  file: string,
  fileValues: ReadonlyMap<string, unknown>,
  environment: ReadonlyMap<string, string>,
  flags: Readonly<Record<string, FlagValue | undefined>>,
): Result<ResolvedSetting, string> {
  const flag = flags[setting.name];
  const text = environment.get(setting.name);
  if (flag !== undefined) return checked(setting, flag.value, { kind: "flag", flag: flag.flag }, flag.flag);
  if (text !== undefined) {
    const variable = environmentName(setting.name);
    return checked(setting, fromText(setting, text), { kind: "environment", variable }, `environment ${variable}`);
  }
  if (fileValues.has(setting.name)) {
    return checked(setting, fileValues.get(setting.name), { kind: "file", file }, `${file}: ${setting.name}`);
  }
  return ok({ setting, value: setting.default, source: { kind: "default" } });
}

function checked(
  setting: Setting,
  value: unknown,
  source: SettingSource,
  where: string,
): Result<ResolvedSetting, string> {
  const parsed = setting.schema.safeParse(value);
  if (parsed.success) return ok({ setting, value: parsed.data, source });
  const { path, message } = issueOf(parsed.error, value);
  return err(`${where}${path === "" ? "" : path}: ${message}`);
}

/** A setting's value as text of a flag or variable: lists are separated by commas. What does not fit, the schema names. */
export function fromText(setting: Setting, text: string): unknown {
  const { default: example } = setting;
  if (typeof example === "number") return /^-?\d+$/.test(text) ? Number(text) : text;
  if (typeof example === "boolean") return text === "true" ? true : text === "false" ? false : text;
  if (typeof example === "string") return text;
  return text.split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
}

function configOf(values: ReadonlyMap<SettingName, SettingValue>): Config {
  const text = (name: SettingName): string => values.get(name) as string;
  const count = (name: SettingName): number => values.get(name) as number;
  const http = parseHostPort(text("http.listen"));
  if (http === undefined) throw new Error("http.listen was checked");
  return {
    name: text("node.name"),
    p2p: {
      listen: text("p2p.listen"),
      peers: values.get("p2p.peers") as readonly string[],
      maxPeers: count("p2p.maxPeers"),
      outboundPeers: count("p2p.outboundPeers"),
      announce: values.get("p2p.announce") as readonly string[],
    },
    http: { ...http, token: text("http.token") || undefined, readyWithinBlocks: count("http.readyWithinBlocks") },
    log: { level: text("log.level") as LogLevel, format: text("log.format") as LogFormat },
    index: { enabled: values.get("index.enabled") as boolean },
    consensus: {
      heartbeatMs: count("consensus.heartbeatMs"),
      electionTimeoutMs: count("consensus.electionTimeoutMs"),
      viewTimeoutMs: count("consensus.viewTimeoutMs"),
      tenureBlocks: count("consensus.tenureBlocks"),
      tenureMs: count("consensus.tenureMs"),
      electionSpread: CONSENSUS_DEFAULTS.electionSpread,
      brokenLinkJitterMs: count("consensus.brokenLinkJitterMs"),
      windowBlocks: count("consensus.windowBlocks"),
      batchDelayMs: count("production.batchDelayMs"),
      blockBytes: count("production.blockBytes"),
      blockTransactions: count("production.blockTransactions"),
      mempoolBytes: count("mempool.bytes"),
      mempoolTransactions: count("mempool.transactions"),
    },
    transactionBytes: count("production.transactionBytes"),
  };
}

function contradictionsIn({ consensus }: Config): string[] {
  if (consensus.heartbeatMs < consensus.electionTimeoutMs) return [];
  return [
    `consensus.heartbeatMs (${consensus.heartbeatMs}) must be less than consensus.electionTimeoutMs ` +
      `(${consensus.electionTimeoutMs}): followers would take every pause for a dead leader`,
  ];
}

/** DESIGN section 7: nothing but loopback without a token. */
function needsToken({ http }: Config, settings: readonly ResolvedSetting[]): string | undefined {
  if (http.token !== undefined || LOOPBACK.test(http.host)) return undefined;
  const listen = settings.find(({ setting }) => setting.name === "http.listen");
  const from = listen === undefined ? "" : ` (${sourceText(listen.source)})`;
  return `http.listen is ${http.host}:${http.port}${from}, which others can reach, and there is no http.token: set one, or listen on 127.0.0.1`;
}
