/** `cairn producers confirm-lost-record DIR`. */
import type { EngineName } from "../../../chain/genesis.ts";
import type { LossRefusal } from "../../../consensus/lostRecord.ts";
import { confirmLostRecord, CONFIRMATIONS_FILE, type NothingLost } from "../lostRecord.ts";
import { StorageError } from "../storage/types.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { print, printJson } from "./terminal.ts";

export interface ConfirmFlags {
  readonly confirm?: boolean;
  readonly json?: boolean;
}

export async function confirmLostRecordCommand(dir: string, flags: ConfirmFlags): Promise<ExitStatus> {
  const done = await attempt(dir, flags.confirm === true);
  if (!done.ok) throw new CliError(EXIT.no, whyNot(done.error));
  const { verdict, engine, unknownUpTo } = done.value;
  if (flags.confirm !== true)
    throw new CliError(EXIT.usage, `the vote record is ${verdict}. Nothing was done: read --help, then add --confirm`);
  if (flags.json) printJson(done.value);
  else
    print(
      `the vote record was ${verdict}; ${whenBack(engine, unknownUpTo)}. ` +
        `Written down in ${CONFIRMATIONS_FILE}. Start the node, and see in \`cairn status\` when it takes part again`,
    );
  return EXIT.ok;
}

function whenBack(engine: EngineName, unknownUpTo: number): string {
  if (engine === "vsr") return "it takes part again when each other producer has answered, or asks for answers itself";
  return `a fresh one takes part in views above ${unknownUpTo} only`;
}

async function attempt(dir: string, isConfirmed: boolean): ReturnType<typeof confirmLostRecord> {
  try {
    return await confirmLostRecord(dir, isConfirmed, Date.now());
  } catch (error) {
    if (error instanceof StorageError) throw new CliError(EXIT.unreachable, error.message);
    throw error;
  }
}

function whyNot(refusal: LossRefusal | NothingLost): string {
  switch (refusal.code) {
    case "RECORD_IS_WHOLE":
      return "the vote record is whole: there is nothing to confirm";
    case "OTHERS_ARE_TOO_FEW":
      return (
        `of ${refusal.producers} producers the others cannot open a view without this one, ` +
        "so nothing that it may have promised can be left behind: go on from a new chain"
      );
  }
}
