/** Lies in hellos, sync and routes; what is said again, to some only, or far too often; and what is not heard. */
import {
  type Hello,
  decodePayload,
  decodeSyncMessage,
  encodeBlockRequest,
  encodeHello,
} from "../../../consensus/messages.ts";
import type { Lane } from "../../../net/link/types.ts";
import { decodeEnvelope, encodeEnvelope } from "../../../net/transport/envelope.ts";
import { decodeRouting, encodeRouteUpdates, isRouting } from "../../../net/transport/routeMessages.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import type { Dice } from "../dice.ts";
import { falseRange } from "../liar.ts";
import type { LieMaker } from "./lie.ts";
import { payloadIn } from "./votes.ts";
import type { Parts } from "./workshop.ts";

function randomId(dice: Dice): string {
  return Array.from({ length: 8 }, () => dice.seed().toString(16).padStart(8, "0")).join("");
}

/** A better chain than it has, a worse one, or one that nobody has. */
export const falseHellos: LieMaker = ({ dice }) => ({
  instead(lane, parts) {
    const decoded = lane === "chain" ? decodeSyncMessage(concatBytes(...parts)) : undefined;
    if (decoded?.ok !== true || decoded.value.kind !== "hello" || !dice.chance(0.7)) return [parts];
    return [[encodeHello(falseHello(decoded.value.hello, dice))]];
  },
});

function falseHello(hello: Hello, dice: Dice): Hello {
  const { head, root, locator } = hello;
  const { rootCertificate: _, ...uncertified } = hello;
  const far = { view: head.view + dice.below(3), height: head.height + dice.integer(1, 40), id: randomId(dice) };
  switch (dice.below(6)) {
    case 0:
      return { ...hello, head: far };
    case 1:
      return { ...uncertified, head: far, root: { ...far, height: far.height - 1, id: randomId(dice) } };
    case 2:
      return { ...uncertified, root: { ...root, view: root.view + 5 } };
    case 3:
      return { ...hello, locator: locator.map(({ height }) => ({ height, id: randomId(dice) })) };
    case 4:
      return { ...hello, echo: hello.echo + dice.integer(1, 3) };
    default:
      return { ...hello, head: { ...head, ...locator.at(-1) } };
  }
}

/** What it is asked for comes changed or not at all; ranges as well. */
export const falseAnswers: LieMaker = ({ dice, chainId }) => ({
  instead(lane, parts) {
    if (!dice.chance(0.6)) return [parts];
    if (lane === "chain") {
      const decoded = decodeSyncMessage(concatBytes(...parts));
      return decoded.ok && decoded.value.kind === "blockResponse" ? [] : [parts];
    }
    const opened = decodeEnvelope(concatBytes(...parts));
    const decoded = opened && decodePayload(chainId, opened.payload);
    if (decoded?.ok !== true || decoded.value.kind !== "rangeResponse") return [parts];
    const lie = falseRange(decoded.value.response, dice);
    return lie === undefined ? [] : [encodeEnvelope((opened as NonNullable<typeof opened>).envelope, lie)];
  },
});

/** Nearest to everybody; and what comes by way of it for others is lost. */
export const falseRoutes: LieMaker = (workshop) => ({
  instead(lane, parts, to) {
    const opened = lane === "chain" ? undefined : decodeEnvelope(concatBytes(...parts));
    if (opened === undefined) return [parts];
    if (opened.envelope.source !== workshop.key && !opened.envelope.broadcast) return [];
    const routing = isRouting(opened.payload) ? decodeRouting(opened.payload) : undefined;
    if (routing?.kind !== "updates") return [parts];
    const updates = routing.updates.map(({ producer, route }) => ({
      producer,
      route: route && { ...route, metric: 1 },
    }));
    return [workshop.envelope(to, encodeRouteUpdates(updates))];
  },
});

/** Frames that are kept to be said again. */
const REPLAYS_MAX = 200;

/** Says again what it and others said, whenever it likes, to whomever. */
export const replays: LieMaker = ({ node, dice, others }) => {
  const kept: { readonly lane: Lane; readonly parts: Parts }[] = [];
  const keep = (lane: Lane, parts: Parts): void => {
    if (kept.length < REPLAYS_MAX) kept.push({ lane, parts });
    else kept[dice.below(kept.length)] = { lane, parts };
  };
  return {
    instead(lane, parts) {
      keep(lane, parts);
      return [parts];
    },
    stepped(input) {
      if (input.kind === "received") keep(input.lane, [input.frame]);
    },
    tick() {
      for (let i = 0; i < 5 && kept.length > 0; i++) {
        const { lane, parts } = dice.pick(kept);
        node.say(dice.pick(others), lane, parts);
      }
    },
  };
};

/** Every so many-th frame to some of the others is lost, of any lane. */
export const selective: LieMaker = ({ dice, others }) => {
  const shares = new Map(others.map((index) => [index, dice.pick([0, 0, 0.3, 1])]));
  return { instead: (_, parts, to) => (dice.chance(shares.get(to) ?? 0) ? [] : [parts]) };
};

/** Messages a tick: of votes for nothing, views without end, requests and hellos. */
const FLOOD = 20;

export const floods: LieMaker = (workshop) => ({
  tick() {
    const { dice, node, ledger } = workshop;
    for (const to of workshop.otherProducers) {
      for (let i = 0; i < FLOOD; i++) {
        const ref = {
          view: ledger.head.view + dice.below(4),
          height: ledger.head.height + dice.below(200),
          id: randomId(dice),
        };
        const view = dice.below(2 ** 40);
        switch (dice.below(5)) {
          case 0:
            workshop.tell(to, "urgent", workshop.votes([workshop.vote(dice.chance(0.5), ref)]));
            break;
          case 1:
            workshop.tell(
              to,
              "urgent",
              workshop.signed({ kind: "viewChange", content: { view, highQc: workshop.genesis } }),
            );
            break;
          case 2: {
            const content = { view, round: dice.below(2 ** 40), irreversibleHeight: ref.height };
            workshop.tell(to, "urgent", workshop.signed({ kind: "summary", content }));
            break;
          }
          case 3:
            node.say(to, "chain", [encodeBlockRequest(randomId(dice))]);
            break;
          default: {
            const hello = {
              seq: dice.below(2 ** 30),
              echo: 0,
              head: ref,
              root: workshop.genesis,
              locator: [workshop.genesis],
              irreversibleHeight: 0,
            };
            node.say(to, "chain", [encodeHello(hello)]);
          }
        }
      }
    }
  },
});

/** As a leader it makes no block of what others forward to it. */
export const censorship: LieMaker = (workshop) => ({
  hears: (input) =>
    input.kind !== "received" ||
    input.lane !== "bulk" ||
    payloadIn(workshop, [input.frame])?.kind !== "transactionForward",
});
