/** What an auditor keeps in its directory: the proof of the newest head, a log of heads, evidence. */
import { appendFileSync, closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import type { ForkEvidence, LightHead, LightState } from "../../client/light/index.ts";
import { messageOf, whyNotWritten } from "../systemError.ts";
import { writeWhole } from "../wholeFile.ts";
import { CliError, EXIT } from "./error.ts";

/** Of the log of heads, about: then the older half goes. */
const LOG_MAX_BYTES = 4 * 1024 * 1024;

export class AuditLog {
  readonly headFile: string;
  readonly #heads: string;
  readonly #dir: string;
  /** Id of the head that is kept. */
  #kept: string | undefined;
  #unkept: string | undefined;

  /** Makes the directory. Throws CliError 3. */
  constructor(dir: string) {
    this.#dir = dir;
    this.headFile = join(dir, "head.json");
    this.#heads = join(dir, "heads.jsonl");
    try {
      mkdirSync(dir, { recursive: true });
    } catch (error) {
      throw new CliError(EXIT.unreachable, `${dir} cannot be made: ${messageOf(error)}`);
    }
  }

  /** Why the newest could not be written, such as on a full disk; it is tried again with every look. */
  get unkept(): string | undefined {
    return this.#unkept;
  }

  /** @param head that {@link headFile} proves */
  goOn(head: LightHead | undefined): void {
    this.#kept = head?.id;
  }

  keep({ height, id, time }: LightHead, state: LightState | undefined): void {
    if (id === this.#kept) return;
    this.#writing(this.#dir, () => {
      this.#write("head.json", state);
      this.#append(`${JSON.stringify({ height, id, time, seen: Date.now() })}\n`);
      this.#kept = id;
    });
  }

  /** @returns the file; undefined: it could not be written */
  evidence(evidence: ForkEvidence | undefined): string | undefined {
    return this.#writing(this.#dir, () => this.#write(`fork-${evidence?.first.height ?? 0}.json`, evidence));
  }

  #writing<T>(path: string, write: () => T): T | undefined {
    try {
      const written = write();
      this.#unkept = undefined;
      return written;
    } catch (error) {
      this.#unkept = whyNotWritten(path, error);
      return undefined;
    }
  }

  /** A line that a crash or a full disk has cut stays as it is; the next one does not become a part of it. */
  #append(line: string): void {
    const { size, isCut } = endOf(this.#heads);
    appendFileSync(this.#heads, isCut ? `\n${line}` : line);
    if (size + line.length <= LOG_MAX_BYTES) return;
    const lines = readFileSync(this.#heads, "utf8").split("\n");
    this.#replace("heads.jsonl", lines.slice(Math.floor(lines.length / 2)).join("\n"));
  }

  #write(name: string, value: unknown): string {
    return this.#replace(name, `${JSON.stringify(value, null, 1)}\n`);
  }

  /** Whole or not at all. */
  #replace(name: string, text: string): string {
    const file = join(this.#dir, name);
    writeWhole(file, text);
    return file;
  }
}

function endOf(file: string): { readonly size: number; readonly isCut: boolean } {
  const descriptor = openSync(file, "a+");
  try {
    const { size } = fstatSync(descriptor);
    const last = Buffer.alloc(1);
    return { size, isCut: size > 0 && readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== 10 };
  } finally {
    closeSync(descriptor);
  }
}
