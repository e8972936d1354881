/** How a command ends when it does not end well. */
import type { DirectoryError } from "../directory.ts";

/** 0 ok, 1 the answer is no, 2 wrong usage, 3 cannot reach or read (DESIGN.md, section 6). */
export const EXIT = { ok: 0, no: 1, usage: 2, unreachable: 3 } as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with a message for a person (what, where, what to do) and an exit status. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly status: ExitStatus;
  constructor(status: ExitStatus, message: string) {
    super(message);
    this.status = status;
  }
}

/** What the user asked for is wrong: 2. What is missing or cannot be read or written: 3. */
export function directoryFailure(error: DirectoryError): CliError {
  return new CliError(statusOf(error.code), error.messages.join("\n"));
}

function statusOf(code: DirectoryError["code"]): ExitStatus {
  switch (code) {
    case "DIRECTORY_NOT_EMPTY":
    case "APPLICATION_UNKNOWN":
    case "INITIAL_STATE_INVALID":
    case "CONFIG":
      return EXIT.usage;
    case "DIRECTORY_MISSING":
    case "DIRECTORY_UNWRITABLE":
    case "GENESIS":
    case "KEY":
      return EXIT.unreachable;
  }
}
