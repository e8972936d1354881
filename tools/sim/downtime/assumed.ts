/** What is assumed of machines and network. */
import { whyNotConverged } from "../atRest.ts";
import { type FaultProfile, NO_FAULTS } from "../profile.ts";
import type { Simulation } from "../simulation.ts";

/** A message takes 5 to 6 ms, a write 3 ms or a little more: request, write, answer are the Raft paper's 15 ms or so. */
export const ASSUMED: FaultProfile = {
  ...NO_FAULTS,
  latency: { lowMs: 5, highMs: 5.5, jitter: 0.1, tailChance: 0, tailMs: 0 },
  disk: { typicalMs: 4, capMs: 5 },
  redialMs: 5,
};

/** All are up and linked, and nothing is open. */
export function settle(simulation: Simulation): void {
  while (whyNotConverged(simulation) !== undefined) simulation.advance(50);
  simulation.advance(200);
}
