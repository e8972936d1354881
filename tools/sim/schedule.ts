/**
 * Faults as data: what goes wrong, to whom and when. A run draws its schedule from the seed and records it; a recorded
 * one can be replayed, whole or in part, which is how a failing run is made smaller.
 */
import type { LieName } from "./byzantine/producer.ts";

/** Indices of nodes; times in milliseconds. */
export type Fault =
  | {
      readonly kind: "crash";
      readonly node: number;
      readonly downMs: number;
      /** Nobody is told: peers find out by their pings. */
      readonly silent: boolean;
      /** Between two effects of its next step; false: between two steps. */
      readonly midStep: boolean;
      /** Cut off from everybody for so long before it dies; 0: not. */
      readonly aloneMs: number;
      readonly damage: Damage;
    }
  | {
      readonly kind: "partition";
      /** Directions that are cut. */
      readonly pairs: readonly (readonly [number, number])[];
      readonly durationMs: number;
    }
  /** Links break and the kernel says so at once. */
  | { readonly kind: "breakLinks"; readonly node: number; readonly peers: readonly number[] }
  /** Only urgent messages get through to the node. */
  | { readonly kind: "clog"; readonly node: number; readonly durationMs: number }
  /** A long garbage collection: linked, and silent. */
  | { readonly kind: "pause"; readonly node: number; readonly durationMs: number }
  /** Overloaded: every step takes so long. */
  | { readonly kind: "slow"; readonly node: number; readonly durationMs: number; readonly stepMs: number }
  /** Nothing is written until there is room again. */
  | { readonly kind: "diskFull"; readonly node: number; readonly durationMs: number }
  /** Irreversible blocks do not read: they count as not held. */
  | { readonly kind: "readErrors"; readonly node: number; readonly durationMs: number }
  | { readonly kind: "clockJump"; readonly node: number; readonly jumpMs: number }
  /** A producer that lies does so in this way; Infinity: for good. */
  | { readonly kind: "lie"; readonly node: number; readonly how: LieName; readonly durationMs: number };

/**
 * What a disk has lost when the process comes back. `record`: the vote record does not read. `backup`: the directory is
 * as it was when the process started the last time. `confirmed`: the record is lost, and the operator has confirmed it.
 */
export type Damage = "none" | "block" | "record" | "disk" | "backup" | "confirmed";

export interface ScheduledFault {
  /** Microseconds of virtual time. */
  readonly atUs: number;
  readonly fault: Fault;
}

const DAMAGES: Record<Damage, string> = {
  none: "",
  block: "loses its block",
  record: "loses its record",
  disk: "loses its disk",
  backup: "is restored from the backup of its last start",
  confirmed: "loses its record, and its operator confirms it",
};

export function describeFault({ atUs, fault }: ScheduledFault): string {
  const at = `${(atUs / 1000).toFixed(3)} ms`.padStart(14);
  const ms = (value: number): string => `${Math.round(value)} ms`;
  switch (fault.kind) {
    case "crash": {
      const how = [
        fault.midStep ? "in the middle of a step" : "",
        fault.silent ? "silently" : "",
        fault.aloneMs > 0 ? `after ${ms(fault.aloneMs)} alone` : "",
        DAMAGES[fault.damage],
      ].filter((each) => each !== "");
      return `${at} node ${fault.node} crashes for ${ms(fault.downMs)}${how.map((each) => `, ${each}`).join("")}`;
    }
    case "partition":
      return `${at} partition ${fault.pairs.map(([from, to]) => `${from}>${to}`).join(" ")} for ${ms(fault.durationMs)}`;
    case "breakLinks":
      return `${at} links of ${fault.node} to ${fault.peers.join(",")} break`;
    case "clog":
      return `${at} only urgent messages reach node ${fault.node} for ${ms(fault.durationMs)}`;
    case "pause":
      return `${at} node ${fault.node} pauses for ${ms(fault.durationMs)}`;
    case "slow":
      return `${at} node ${fault.node} takes ${ms(fault.stepMs)} a step for ${ms(fault.durationMs)}`;
    case "diskFull":
      return `${at} the disk of node ${fault.node} is full for ${ms(fault.durationMs)}`;
    case "readErrors":
      return `${at} the disk of node ${fault.node} does not read for ${ms(fault.durationMs)}`;
    case "clockJump":
      return `${at} the clock of node ${fault.node} jumps by ${ms(fault.jumpMs)}`;
    case "lie":
      return `${at} node ${fault.node} lies: ${fault.how} ${fault.durationMs === Infinity ? "for good" : `for ${ms(fault.durationMs)}`}`;
  }
}

/** Whether all nodes that a fault names are below `count`. */
export function concernsOnly(fault: Fault, count: number): boolean {
  if (fault.kind === "partition") return fault.pairs.every(([from, to]) => from < count && to < count);
  return fault.node < count && (fault.kind !== "breakLinks" || fault.peers.every((peer) => peer < count));
}
