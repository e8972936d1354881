/** The test vectors of docs/proofs.md: current, and judged alike by this implementation and by one in Python's standard library. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { checkBlockProof } from "../../consensus/blockProof.ts";
import { checkHeadProof } from "../../consensus/headProof.ts";
import { checkProducersProof } from "../../consensus/producersProof.ts";
import type { ProofError, TrustedGenesis } from "../../consensus/proofMembers.ts";
import { checkTransactionProof } from "../../consensus/transactionProof.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import type { Result } from "../../src/base/result.ts";
import { seededRandom } from "../../src/base/random.ts";
import {
  checkEvidence,
  checkProducerEvidence,
  EVIDENCE_FORMAT,
  PRODUCER_EVIDENCE_FORMAT,
  trustedGenesis,
} from "../../src/client/light/index.ts";
import { verifySignature } from "../../src/node/signatures.ts";
import { makeVectors, readVectors, type Vector, VECTORS_FILE } from "../vectors/make.ts";

const PYTHON = fileURLToPath(new URL("../../tools/proofs/check_proof.py", import.meta.url));
const FLIPS = 40;
const { genesis, cases } = readVectors();

type Checked = Result<Readonly<Record<string, unknown>> & { readonly claims: readonly SignatureClaim[] }, ProofError>;
const CHECKS: Readonly<Record<string, (value: unknown, genesis: TrustedGenesis) => Checked>> = {
  "cairn-transaction-proof-1": (value, trusted) => checkTransactionProof(value, trusted) as unknown as Checked,
  "cairn-block-proof-1": (value, trusted) => checkBlockProof(value, trusted) as unknown as Checked,
  "cairn-head-proof-1": (value, trusted) => checkHeadProof(value, trusted) as unknown as Checked,
  "cairn-producers-proof-1": (value, trusted) => {
    const checked = checkProducersProof(value, trusted);
    if (!checked.ok) return checked;
    const { changes, claims } = checked.value;
    return { ok: true, value: { changes: changes.length, producers: changes.at(-1)?.next.producers.length, claims } };
  },
};

/** @returns what it shows; undefined: it does not hold */
async function shown(
  proof: unknown,
  { genesis: of, producers = [] }: Vector,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { format } = (proof ?? {}) as { readonly format?: string };
  let trusted = trustedGenesis(genesis[of]);
  if (format === EVIDENCE_FORMAT) {
    const verdict = await checkEvidence(proof, trusted);
    return verdict.ok ? { height: verdict.height, ids: [verdict.first.id, verdict.second.id] } : undefined;
  }
  if (format === PRODUCER_EVIDENCE_FORMAT) {
    const verdict = await checkProducerEvidence(proof, trusted);
    return verdict.ok ? (verdict.evidence as unknown as Readonly<Record<string, unknown>>) : undefined;
  }
  const check = CHECKS[format ?? ""];
  for (const each of producers) {
    const known = checkProducersProof(each, trusted);
    if (!known.ok) throw new Error(known.error.detail);
    trusted = { ...trusted, changes: known.value.changes };
  }
  const checked = check?.(proof, trusted);
  return checked?.ok === true && checked.value.claims.every(verifySignature) ? checked.value : undefined;
}

describe("proof vectors", () => {
  it("are current: npm run proof-vectors writes them", async () =>
    expect(await makeVectors()).toBe(readFileSync(VECTORS_FILE, "utf8")));

  it.each(cases)("$name", async (vector) => {
    const { proof, valid, shows } = vector;
    const found = await shown(proof, vector);
    expect(found !== undefined).toBe(valid);
    if (shows === undefined) return;
    const { from, ...rest } = shows;
    expect(found).toMatchObject({ ...rest, ...(from === undefined ? {} : { fromId: from }) });
  });

  it("with a bit flipped anywhere none holds", async () => {
    const random = seededRandom(9162);
    for (const vector of cases.filter(({ valid }) => valid)) {
      const text = JSON.stringify(vector.proof);
      for (let i = 0; i < FLIPS; i++) {
        const bytes = Buffer.from(text);
        const at = Math.floor(random.next() * bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random.next() * 7));
        const value = parsed(bytes.toString());
        if (value !== undefined && JSON.stringify(value) !== text)
          expect(await shown(value, vector), bytes.toString()).toBeUndefined();
      }
    }
  });

  const hasPython = spawnSync("python3", ["--version"]).status === 0;
  it.skipIf(!hasPython)("Python's standard library judges them alike, and the flipped ones", () => {
    const { status, stdout } = spawnSync("python3", [PYTHON, "--vectors", VECTORS_FILE, "--flips", "4"], {
      encoding: "utf8",
    });
    expect(stdout).toContain(`${cases.length} vectors`);
    expect(status, stdout).toBe(0);
  });
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
