/** The applications that a genesis may name. */
import type { Application } from "../../chain/application.ts";
import { createKvApplication } from "./applications/kv.ts";

const APPLICATIONS: Readonly<Record<string, () => Application>> = { kv: createKvApplication };

export const APPLICATION_NAMES: readonly string[] = Object.keys(APPLICATIONS);

/** A new instance of the application; undefined when this program has none of that name. */
export function applicationByName(name: string): Application | undefined {
  return Object.hasOwn(APPLICATIONS, name) ? APPLICATIONS[name]?.() : undefined;
}
