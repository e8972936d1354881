/** `cairn status`. */
import type { NodeStatus } from "../api.ts";
import { answerOf, type ClientFlags, clientOf } from "./client.ts";
import { EXIT, type ExitStatus } from "./error.ts";
import { durationText, fields, print, printable, printJson, shortId, timeText } from "./terminal.ts";

export async function statusCommand(flags: ClientFlags): Promise<ExitStatus> {
  const status = await answerOf(clientOf(flags).status());
  if (flags.json) printJson(status);
  else print(statusText(status));
  return EXIT.ok;
}

function statusText({ chainId, name, node, consensus, head, irreversible, sync, peers, mempool }: NodeStatus): string {
  const leader =
    consensus.producers.find(({ key }) => key === consensus.leader)?.name ?? consensus.leader ?? "none known";
  return fields([
    ["chain", `${printable(name)} (${shortId(chainId)})`],
    ["node", `${printable(node.name)} (${shortId(node.key)}), ${node.role}, version ${node.version}`],
    ["consensus", `${consensus.engine}, view ${consensus.view}, ${consensus.status}; leader ${printable(leader)}`],
    ...faultyLine(consensus),
    ["head", `${head.height}  ${head.id}  ${timeText(head.time)}`],
    ["irreversible", `${irreversible.height}  ${irreversible.id}  ${timeText(irreversible.time)}`],
    ["sync", syncText(sync)],
    ["peers", String(peers)],
    ["mempool", `${mempool.count} transactions, ${mempool.bytes} bytes`],
  ]);
}

/** Only when there is one. */
function faultyLine({ producers, faulty }: NodeStatus["consensus"]): [string, string][] {
  // A node of an earlier version does not say.
  if (faulty === undefined || faulty.length === 0) return [];
  const names = faulty.map((key) => printable(producers.find((each) => each.key === key)?.name ?? shortId(key)));
  return [["faulty", names.join(", ")]];
}

function syncText({ state, target, rate, timeLeftSeconds, stalledBecause }: NodeStatus["sync"]): string {
  const left = timeLeftSeconds === undefined ? "" : `, ${durationText(timeLeftSeconds)} left`;
  const progress = state === "syncing" ? ` to ${target}, ${rate.toFixed(1)} blocks/s${left}` : "";
  return `${state}${progress}${stalledBecause === undefined ? "" : `; stalled: ${printable(stalledBecause)}`}`;
}
