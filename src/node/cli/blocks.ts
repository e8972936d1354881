/** `cairn blocks reject|accept|rejected`. */
import { isId, isListOf, isObject } from "../../client/shape.ts";
import { answerOf, type ClientFlags, clientOf, get } from "./client.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { print, printJson } from "./terminal.ts";

export async function blocksDecideCommand(
  verb: "reject" | "accept",
  id: string,
  flags: ClientFlags,
): Promise<ExitStatus> {
  if (!/^[0-9a-f]{64}$/.test(id)) throw new CliError(EXIT.usage, `${id}: a block's id is 64 lower-case hex digits`);
  const answer = await answerOf(clientOf(flags).post(`/v1/blocks/${id}/${verb}`));
  if (flags.json) printJson(answer);
  else if (verb === "reject") print(`rejected ${id}: this node takes neither it nor what descends from it`);
  else print(`${id} is rejected no more; a node that holds it takes it from its next start on`);
  return EXIT.ok;
}

export async function blocksRejectedCommand(flags: ClientFlags): Promise<ExitStatus> {
  const answer = await get(flags, "/v1/blocks/rejected", isRejected);
  if (flags.json) printJson(answer);
  else if (answer.rejected.length > 0) print(answer.rejected.join("\n"));
  return EXIT.ok;
}

function isRejected(value: unknown): value is { readonly rejected: readonly string[] } {
  return isObject(value) && isListOf(value["rejected"], isId);
}
