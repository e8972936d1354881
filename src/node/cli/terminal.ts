/** Writing for people and for pipes. */

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Colour = keyof typeof CODES;

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

export function printError(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** True when a person looks at standard output and wants colours. */
export function hasColours(): boolean {
  return process.stdout.isTTY && !process.env["NO_COLOR"];
}

export function colour(name: Colour, text: string): string {
  return hasColours() ? `\x1b[${CODES[name]}m${text}\x1b[0m` : text;
}

/** A table whose columns are as wide as their widest cell. Rows have as many cells as the head. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [colour("bold", line(head)), ...rows.map(line)].join("\n");
}

/** Name and value a line, values below each other. */
export function fields(entries: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}

/** Text of others (peer names, values) without what would move the cursor or change colours. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, "\u{fffd}");
}

/** Milliseconds since the epoch as people read it; UTC. */
export function timeText(timeMs: number): string {
  const time = new Date(timeMs);
  return Number.isNaN(time.getTime()) ? `${timeMs} ms` : time.toISOString();
}

/** Text of an id that is enough to find it again. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

/** Seconds as people read them: 42 s, 3 min 5 s, 2 h 10 min. */
export function durationText(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.ceil(seconds)} s`;
}
