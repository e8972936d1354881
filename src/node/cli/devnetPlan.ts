/** What a devnet's directory was made with, and whether the flags of this run fit it: `D/devnet.json`. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ENGINE_NAMES } from "../../../chain/genesis.ts";
import { checkFree } from "../directory.ts";
import { DEFAULT_BASE_PORT, type NetworkNode, type NetworkPlan } from "../network.ts";
import { messageOf, whyNotRead } from "../systemError.ts";
import { issueOf } from "../zodIssue.ts";
import type { DevnetFlags } from "./devnet.ts";
import { CliError, directoryFailure, EXIT } from "./error.ts";
import { makeNetwork, readPlan } from "./init.ts";

const DEVNET_FILE = "devnet.json";
const FOLLOWERS_DEFAULT = 1;
const PRODUCERS_DEFAULT = 4;

const devnetSchema = z.strictObject({
  engine: z.enum(ENGINE_NAMES),
  producers: z.number().int().min(1).max(200),
  followers: z.number().int().min(0).max(200),
  basePort: z.number().int().min(1).max(65_535),
  nodes: z.array(
    z.strictObject({
      name: z.string(),
      role: z.enum(["producer", "follower"]),
      key: z.string(),
      address: z.string(),
      url: z.string(),
    }),
  ),
});

export type DevnetNode = NetworkNode;

/** The nodes of `flags.dir`: of the devnet that is there, or of a new one. Throws CliError. */
export function openDevnet(flags: DevnetFlags): { readonly nodes: readonly DevnetNode[]; readonly isNew: boolean } {
  const file = join(flags.dir, DEVNET_FILE);
  if (existsSync(file)) return { nodes: continued(file, flags), isNew: false };
  const plan = readPlan(
    {
      engine: flags.engine ?? "raft",
      producers: flags.producers ?? String(PRODUCERS_DEFAULT),
      followers: flags.followers ?? String(FOLLOWERS_DEFAULT),
      basePort: flags.basePort ?? String(DEFAULT_BASE_PORT),
    },
    "devnet",
  );
  const free = checkFree(flags.dir);
  if (!free.ok) throw directoryFailure(free.error);
  const nodes = makeNetwork(flags.dir, plan);
  writeDevnet(file, plan, nodes);
  return { nodes, isNew: true };
}

function writeDevnet(file: string, plan: NetworkPlan, nodes: readonly NetworkNode[]): void {
  const { engine, producers, followers, basePort } = plan;
  const content = { engine, producers, followers, basePort, nodes: nodes.map(({ dir: _, ...node }) => node) };
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`, { flag: "wx" });
}

function continued(file: string, flags: DevnetFlags): DevnetNode[] {
  const made = readDevnet(file);
  const asked = [
    ["--engine", flags.engine, made.engine],
    ["--producers", flags.producers, String(made.producers)],
    ["--followers", flags.followers, String(made.followers)],
    ["--base-port", flags.basePort, String(made.basePort)],
  ] as const;
  for (const [flag, value, was] of asked) {
    if (value === undefined || value === was) continue;
    const message = `${flag} ${value}: ${flags.dir} was made with ${flag} ${was}; leave the flag out, or choose another --dir`;
    throw new CliError(EXIT.usage, message);
  }
  return made.nodes.map((node) => ({ ...node, dir: join(flags.dir, node.name) }));
}

function readDevnet(file: string): z.output<typeof devnetSchema> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    const why = error instanceof SyntaxError ? `${file} is not JSON: ${messageOf(error)}` : whyNotRead(file, error);
    throw new CliError(EXIT.unreachable, why);
  }
  const parsed = devnetSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = issueOf(parsed.error, value);
  throw new CliError(EXIT.unreachable, `${file}: ${path}: ${message}`);
}
