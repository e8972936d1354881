/** A failing run as a file: `cairn sim --save FILE` writes it, `--replay FILE` runs it again. */
import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { ENGINE_NAMES } from "../../chain/genesis.ts";
import { NO_FAULTS } from "./profile.ts";
import type { ExplicitRun } from "./shrink.ts";
import { TOPOLOGIES } from "./topologies.ts";

const count = z.number().int().nonnegative();
const fileSchema = z.object({
  seed: count,
  engine: z.enum(ENGINE_NAMES).optional(),
  producers: count.min(1),
  followers: count,
  byzantine: count.optional(),
  changes: z.boolean().optional(),
  topology: z.enum(TOPOLOGIES).optional(),
  durationMs: z.number().positive(),
  profile: z.looseObject({ name: z.string() }),
  schedule: z.array(z.object({ atUs: count, fault: z.looseObject({ kind: z.string() }) })),
});

/** JSON has no infinity, and a fault that never comes has an infinite interval. */
const INFINITY = "Infinity";

export function writeReplay(path: string, run: ExplicitRun): void {
  const text = JSON.stringify(run, (_, value: unknown) => (value === Infinity ? INFINITY : value), 2);
  writeFileSync(path, `${text}\n`);
}

/** Throws an Error with words for a person. */
export function readReplay(path: string): ExplicitRun {
  const text = readFileSync(path, "utf8");
  const json: unknown = JSON.parse(text, (_, value: unknown) => (value === INFINITY ? Infinity : value));
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) throw new Error(`${path} is no saved run: ${z.prettifyError(parsed.error)}`);
  const run = parsed.data as unknown as ExplicitRun;
  return { ...run, profile: { ...NO_FAULTS, ...run.profile } };
}
