/**
 * Logs, to standard error: for people one line `time level [layer] message key=value`, for programs JSON lines.
 *
 *     const log = makeLogger({ level: "info", format: "text" });
 *     log.write("info", "raft", "became leader", { view: 7 });
 *     2026-01-01T00:00:00.000Z info  [raft] became leader view=7
 */
import { pino } from "pino";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = "text" | "json";
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  write(level: LogLevel, layer: string, message: string, fields?: LogFields): void;
  /** The same with the layer fixed; fits the link layer's `LinkLog`. */
  layer(name: string): (level: LogLevel, message: string, fields?: LogFields) => void;
  isEnabled(level: LogLevel): boolean;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where lines go; standard error by default. */
  readonly write?: (line: string) => void;
  /** Colours in the text format; by default when standard error is a terminal. */
  readonly colours?: boolean;
}

export function makeLogger(options: LoggerOptions): Logger {
  const write = options.write ?? ((line: string): void => void process.stderr.write(line));
  const colours = options.colours ?? (process.stderr.isTTY && !process.env["NO_COLOR"]);
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: options.format === "json" ? write : (json: string): void => write(textLine(json, colours)) },
  );
  const log: Logger = {
    write: (level, layer, message, fields) => {
      if (logger.isLevelEnabled(level)) logger[level]({ layer, ...loggable(fields) }, message);
    },
    layer: (name) => (level, message, fields) => log.write(level, name, message, fields),
    isEnabled: (level) => logger.isLevelEnabled(level),
  };
  return log;
}

/** Nothing is logged; for tests. */
export const SILENT: Logger = { write: () => undefined, layer: () => () => undefined, isEnabled: () => false };

const RESERVED = new Set(["time", "level", "layer", "message"]);

/** Fields under names that are not the line's own, with values that JSON can hold. */
function loggable(fields: LogFields | undefined): Record<string, unknown> | undefined {
  if (fields === undefined) return undefined;
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) safe[RESERVED.has(name) ? `${name}_` : name] = plain(value);
  return safe;
}

function plain(value: unknown): unknown {
  if (value instanceof Error) return value.message;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return typeof value === "bigint" ? String(value) : value;
}

const COLOURS: Record<string, string> = { debug: "\x1b[90m", info: "\x1b[32m", warn: "\x1b[33m", error: "\x1b[31m" };
const RESET = "\x1b[0m";

function textLine(json: string, colours: boolean): string {
  const { time, level, layer, message, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const padded = String(level).padEnd(5);
  const shown = colours ? `${COLOURS[String(level)] ?? ""}${padded}${RESET}` : padded;
  let line = `${String(time)} ${shown} [${oneLine(String(layer))}] ${oneLine(String(message))}`;
  for (const [name, value] of Object.entries(fields)) line += ` ${name}=${valueText(value)}`;
  return `${line}\n`;
}

/** Control characters are written as escapes: a peer's text must not move the cursor or begin a line. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function valueText(value: unknown): string {
  if (typeof value !== "string") return oneLine(JSON.stringify(value) ?? "null");
  return /^[^\s"=\p{C}]+$/u.test(value) ? value : oneLine(JSON.stringify(value));
}
