/** `cairn peers`, `cairn peers off|on KEY`. */
import type { Peers } from "../../client/answers.ts";
import { answerOf, type ClientFlags, clientOf } from "./client.ts";
import { CliError, EXIT, type ExitStatus } from "./error.ts";
import { print, printable, printJson, shortId, table } from "./terminal.ts";

export async function peersCommand(flags: ClientFlags): Promise<ExitStatus> {
  const peers = await answerOf(clientOf(flags).peers());
  if (flags.json) printJson(peers);
  else print(peerTable(peers));
  return EXIT.ok;
}

function peerTable({ peers, off }: Peers): string {
  const rows = peers.map((peer) => [
    printable(peer.name),
    shortId(peer.key),
    peer.role,
    peer.address,
    peer.direction,
    peer.addressFrom ?? "-",
    peer.rttMs === undefined ? "-" : peer.rttMs.toFixed(1),
    peer.faulty ? "faulty" : peer.state === "slowed" ? "slowed" : peer.phase,
    String(peer.score),
    peer.height === undefined ? "-" : String(peer.height),
  ]);
  const offRows = off.map(({ key, name = "-" }) => [
    printable(name),
    shortId(key),
    "-",
    "-",
    "-",
    "-",
    "-",
    "off",
    "-",
    "-",
  ]);
  return table(
    ["NAME", "KEY", "ROLE", "ADDRESS", "DIRECTION", "FROM", "RTT MS", "STATE", "SCORE", "HEIGHT"],
    [...rows, ...offRows],
  );
}

export async function peersSwitchCommand(word: "off" | "on", key: string, flags: ClientFlags): Promise<ExitStatus> {
  const peer = await wholeKey(key, flags);
  const answer = await answerOf(clientOf(flags).post(`/v1/peers/${peer}/${word}`));
  if (flags.json) printJson(answer);
  else if (word === "off") print(`links to ${peer} are off: closed, refused, not dialed, until they are switched on`);
  else print(`links to ${peer} are on; where only the peer dials it may take half a minute until it tries again`);
  return EXIT.ok;
}

/** Of a key's first digits, as `cairn peers` shows them: the one of the node's peers that is meant. */
async function wholeKey(key: string, flags: ClientFlags): Promise<string> {
  if (/^[0-9a-f]{64}$/.test(key)) return key;
  if (!/^[0-9a-f]{8,63}$/.test(key)) {
    throw new CliError(EXIT.usage, `${key}: a peer's key is 64 lower-case hex digits, or at least its first 8`);
  }
  const { peers, off } = await answerOf(clientOf(flags).peers());
  const found = [...peers, ...off].filter((peer) => peer.key.startsWith(key));
  if (found.length === 1) return (found[0] as (typeof found)[number]).key;
  const why =
    found.length === 0 ? "the node has no such peer; give the whole key" : "more than one peer; give more digits";
  throw new CliError(EXIT.no, `${key}: ${why}`);
}
