import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ACCESS, access, MESSAGE_KINDS, type MessageKind, SENDERS, STATUSES } from "../../src/replica/access.ts";

/** A row of the table in docs/protocol.md, section 1: what is accepted. */
interface Row {
  readonly from: readonly string[];
  readonly while: readonly string[];
  readonly by: string;
}

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  anybody: SENDERS,
  running: STATUSES.filter((status) => status !== "halted"),
};
const inFull = (cell: string): readonly string[] => GROUPS[cell] ?? cell.split(", ");

/** By kind, from the document. */
function documented(): Map<string, Row> {
  const text = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");
  const rows = new Map<string, Row>();
  const begin = text.indexOf("| message | from | while | by |");
  for (const line of text.slice(begin).split("\n").slice(2)) {
    if (!line.startsWith("|")) break;
    const [kinds, from, during, by] = line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
    for (const kind of (kinds as string).replaceAll(/`| \(.*?\)/g, "").split(", ")) {
      expect(rows.has(kind), kind).toBe(false);
      rows.set(kind, { from: inFull(from as string), while: inFull(during as string), by: by as string });
    }
  }
  return rows;
}

describe("the access table (docs/protocol.md, section 1)", () => {
  const rows = documented();

  it("documents every kind of message, and no other", () => {
    expect([...rows.keys()].sort()).toEqual([...MESSAGE_KINDS].sort());
  });

  it.each(MESSAGE_KINDS)("%s: every sender, status and way is judged as it is documented", (kind: MessageKind) => {
    const row = rows.get(kind) as Row;
    for (const sender of SENDERS)
      for (const status of STATUSES)
        for (const broadcast of [false, true]) {
          const byRight = row.by === "both" || (row.by === "broadcast") === broadcast;
          const accepted = byRight && row.from.includes(sender) && row.while.includes(status);
          const verdict = access(kind, sender, status, broadcast);
          const what = `${kind} of a ${sender}, ${status}, ${broadcast ? "by broadcast" : "by link"}`;
          expect(verdict === "accept", what).toBe(accepted);
          // Who is a producer, and who leads, is known here and there at different times.
          const isOfProducers = row.from.includes("leader") && !row.from.includes("follower");
          const isFault = !byRight || (!row.from.includes(sender) && !isOfProducers);
          expect(verdict === "refuse", what).toBe(isFault);
        }
  });

  it("nothing that producers alone say is taken from anybody else, and a halted node takes nothing", () => {
    for (const kind of MESSAGE_KINDS) {
      for (const sender of SENDERS) expect(access(kind, sender, "halted", false)).not.toBe("accept");
      const engines = ["requestVote", "vote", "ack", "heartbeat", "heartbeatReply", "timeoutNow"];
      if (engines.includes(kind))
        expect(ACCESS[kind].from.some((each) => each === "stranger" || each === "follower")).toBe(false);
    }
  });
});
