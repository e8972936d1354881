/**
 * A transaction, verified in the browser (docs/proofs.md): nothing is believed but the genesis whose id the reader knows.
 * The light client checks; here is told which of its checks held, or which did not.
 */
import { decodeTransaction } from "../../chain/transaction.ts";
import { LightClient, LightError } from "../client/light/index.ts";
import { decodeKvPayload, type Operation, receiptToJson } from "../node/applications/kvPayload.ts";

export const CHECKS = ["genesis", "certificates", "inclusion", "receipt"] as const;
export type Check = (typeof CHECKS)[number];

export interface Step {
  readonly check: Check;
  readonly state: "waits" | "holds" | "fails";
  readonly words: string;
}

export interface Outcome {
  readonly holds: boolean;
  readonly steps: readonly Step[];
  /** From the first request to the last check, and all that was fetched for it. */
  readonly ms: number;
  readonly bytes: number;
}

/** Ends a verification. */
class Failed extends Error {
  readonly check: Check;
  constructor(check: Check, words: string) {
    super(words);
    this.check = check;
  }
}

/**
 * @param origin of the node
 * @param chainId that the reader knows; empty: none, and the node's own is shown
 * @param tell each time that a check is done
 */
export async function verifyTransaction(
  origin: string,
  id: string,
  chainId: string,
  tell: (steps: readonly Step[]) => void,
): Promise<Outcome> {
  const began = performance.now();
  let bytes = 0;
  const counted = async (url: string, init: RequestInit): Promise<Response> => {
    const response = await fetch(url, init);
    const body = await response.arrayBuffer();
    bytes += body.byteLength;
    return new Response(body, { status: response.status, headers: response.headers });
  };
  let steps: readonly Step[] = CHECKS.map((check) => ({ check, state: "waits", words: "not checked" }));
  const done = (check: Check, state: Step["state"], words: string): void => {
    steps = steps.map((step) => (step.check === check ? { check, state, words } : step));
    tell(steps);
  };
  try {
    await verify(origin, id, chainId, counted, (check, words) => done(check, "holds", words));
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    done(error.check, "fails", error.message);
  }
  const holds = steps.every(({ state }) => state === "holds");
  return { holds, steps, ms: performance.now() - began, bytes };
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

async function verify(
  origin: string,
  id: string,
  chainId: string,
  counted: Fetch,
  holds: (check: Check, words: string) => void,
): Promise<void> {
  const genesis: unknown = await (await counted(`${origin}/v1/genesis`, {})).json().catch(() => undefined);
  const light = await opened(genesis, origin, counted);
  const { engine, chainId: found } = light.genesis;
  if (chainId !== "" && chainId !== found)
    throw new Failed("genesis", `the node's genesis is of chain ${found}, not ${chainId}`);
  const known = chainId === "" ? "compare it with the one you were given" : "the one you know";
  holds("genesis", `its SHA-256 is the chain id ${found}: ${known}`);

  await light.sync().catch((error: unknown) => {
    throw failureOf(error, "certificates");
  });
  const { height: newest = 0 } = light.head ?? {};
  const proven = await light.transaction(id).catch((error: unknown) => {
    throw failureOf(error, "inclusion");
  });
  const signers = new Set(proven.claims.map(({ key }) => key)).size;
  holds(
    "certificates",
    `${signers} producers, a quorum, signed for block ${proven.certifiedHeight}; the newest one proven is ${newest}. Under ${engine} this holds if ${light.trust}`,
  );
  const { height, index, blockId } = proven;
  holds("inclusion", `transaction ${index} of block ${height}, ${blockId}: ${contentOf(proven.transaction)}`);
  holds("receipt", `in the same block: ${receiptOf(proven.receipt)}`);
}

async function opened(genesis: unknown, origin: string, fetching: Fetch): Promise<LightClient> {
  try {
    return await LightClient.open(genesis, [origin], { platform: { fetch: fetching } });
  } catch (error) {
    throw failureOf(error, "genesis");
  }
}

/** Members of proofs by the check that they are for; others are for `otherwise`. */
const CHECK_OF: Readonly<Record<string, Check>> = {
  chainId: "genesis",
  certificate: "certificates",
  receipt: "receipt",
  receiptPath: "receipt",
  countPeaks: "receipt",
};

function failureOf(error: unknown, otherwise: Check): unknown {
  if (!(error instanceof LightError)) return error;
  const [why = error.message] = Object.values(error.details.nodes ?? {});
  return new Failed(CHECK_OF[/^\w+/.exec(why)?.[0] ?? ""] ?? otherwise, why);
}

/** What the proven bytes say, not what the node says of them. */
function contentOf(transaction: Uint8Array): string {
  const decoded = decodeTransaction(transaction);
  const operations = decoded.ok ? decodeKvPayload(decoded.value.payload) : undefined;
  return operations?.ok === true ? operations.value.map(operationText).join("; ") : `${transaction.length} bytes`;
}

function operationText(operation: Operation): string {
  const text = (bytes: Uint8Array): string => JSON.stringify(new TextDecoder().decode(bytes));
  const value = "value" in operation ? ` = ${text(operation.value)}` : "";
  return `${operation.kind} ${text(operation.key)}${value}`;
}

function receiptOf(receipt: Uint8Array): string {
  const decoded = receiptToJson(receipt);
  return decoded === undefined ? `${receipt.length} bytes` : JSON.stringify(decoded);
}
