/** A recording as a Mermaid sequence diagram. */
import type { Point, Recording, Row } from "./recording.ts";
import { nameOf } from "./recording.ts";

/** Without the fence around it. */
export function toMermaid({ processes, rows }: Recording): string {
  const lines = ["sequenceDiagram", ...processes.map((name) => `  participant ${name}`)];
  for (const row of rows) lines.push(`  ${lineOf(row, processes)}`);
  return `${lines.join("\n")}\n`;
}

function lineOf(row: Row, processes: readonly string[]): string {
  switch (row.kind) {
    case "message": {
      const arrow = `${nameOf(row.from.process)}${row.to === undefined ? "-x" : "->>"}${nameOf(row.target)}`;
      return `${arrow}: ${row.label} (${eventOf(row.from)}${row.to === undefined ? ", lost" : ` to ${eventOf(row.to)}`})`;
    }
    case "note":
      return `Note over ${nameOf(row.at.process)}: ${row.label} (${eventOf(row.at)})`;
    case "folded":
      return `Note over ${processes[0]},${processes.at(-1)}: ${row.count} messages that change nothing`;
  }
}

/** `C_7`. */
export function eventOf({ process, number }: Point): string {
  return `${nameOf(process)}_${number}`;
}
