/** What a node that starts has to say of its vote record, and what its operator can do. */
import type { EngineName } from "../../chain/genesis.ts";
import type { EngineKit, EngineRecord } from "../../consensus/engines.ts";
import type { StoredRecord } from "./storage/types.ts";

export interface RecordNote {
  readonly level: "warn" | "error";
  readonly message: string;
}

/** @param found the record's bytes, or why there are none */
export function recordNote(
  kit: Pick<EngineKit, "decodeRecord">,
  engine: EngineName,
  file: string,
  found: Uint8Array | StoredRecord["verdict"],
): RecordNote | undefined {
  const decoded = typeof found === "string" ? undefined : kit.decodeRecord(found);
  if (decoded?.ok === true && decoded.value.content.outdated !== true) return confirmedNote(decoded.value.content);
  const how = typeof found === "string" ? found : decoded?.ok === true ? "an old one" : "not readable";
  const what = `the vote record in ${file} is ${how}: this node cannot know what it promised, so it follows and never votes (status: recovering)`;
  const remedy =
    engine === "vsr"
      ? "It takes part again when the others have told it what they know; where others have lost theirs as well, see: cairn producers confirm-lost-record --help"
      : "Give this producer a new key, or, when you are sure that its record is lost, see: cairn producers confirm-lost-record --help. " +
        "An older copy of the directory may have forgotten a vote";
  return { level: "error", message: `${what}. ${remedy}` };
}

function confirmedNote(record: EngineRecord["content"]): RecordNote | undefined {
  if ("lostWithOthers" in record && record.lostWithOthers === true)
    return {
      level: "warn",
      message:
        "the operator has confirmed that this vote record was lost, and others with it: this node takes part when each other producer has answered, or is recovering itself",
    };
  if (!("unknownUpTo" in record) || record.unknownUpTo === undefined) return undefined;
  return {
    level: "warn",
    message: `the operator has confirmed that the vote record was lost: this node takes part in views above ${record.unknownUpTo} only`,
  };
}
