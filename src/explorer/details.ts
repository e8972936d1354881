/** What was asked for: a block, or a transaction with the means to verify it. */
import { ask, NodeError, type ShownBlock, type ShownTransaction } from "./answers.ts";
import { element, link, list, row, short, timeText } from "./dom.ts";
import { type Outcome, type Step, verifyTransaction } from "./verify.ts";

/** Transactions of a block that are listed; the block says how many it has. */
const TRANSACTIONS_SHOWN = 200;
/** Of an operation in a list. */
const TEXT_SHOWN = 200;
const TRANSACTION_ID = /^[0-9a-f]{64}$/;

/** `#/block/REF`, `#/tx/ID`, or `#/find/WHAT` for who does not know which. @throws NodeError */
export async function detailsOf(kind: string, what: string): Promise<readonly Node[]> {
  if (kind === "tx") return transactionDetails(await ask(`/v1/transactions/${encodeURIComponent(what)}`));
  try {
    return blockDetails(await ask(`/v1/blocks/${encodeURIComponent(what)}`));
  } catch (error) {
    const mayBeTransaction = kind === "find" && TRANSACTION_ID.test(what);
    if (!(error instanceof NodeError) || !mayBeTransaction) throw error;
    return transactionDetails(await ask(`/v1/transactions/${what}`));
  }
}

function blockDetails(block: ShownBlock): Node[] {
  const { header, transactions = [], receipts } = block;
  const fields = Object.entries(header).map(([name, value]): [string, Node | string] => [name, fieldOf(name, value)]);
  const rows = transactions.slice(0, TRANSACTIONS_SHOWN).map(({ id, operations, payload }, index) => {
    const text = JSON.stringify(operations ?? payload) ?? "";
    const receipt = JSON.stringify(receipts?.[index]) ?? "";
    const shown = text.length > TEXT_SHOWN ? `${text.slice(0, TEXT_SHOWN)}…` : text;
    return row(
      { number: String(index) },
      link(`tx/${id}`, short(id)),
      element("span", "text", shown),
      element("code", "whole", receipt),
    );
  });
  const title = `Block ${block.height}, ${block.status}`;
  const certificate = block.certificate === null ? "none" : `${Math.floor((block.certificate.length * 3) / 4)} bytes`;
  const nodes: Node[] = [
    element("h2", "", title),
    list([["id", element("code", "", block.id)], ...fields, ["certificate", certificate]]),
    element(
      "h3",
      "",
      `${block.transactionCount === 1 ? "1 transaction" : `${block.transactionCount} transactions`}${rows.length < block.transactionCount ? `, the first ${rows.length}` : ""}`,
    ),
  ];
  if (rows.length > 0) nodes.push(element("table", "", element("tbody", "", ...rows)));
  return nodes;
}

function fieldOf(name: string, value: unknown): Node | string {
  if (name === "time" && typeof value === "number") return timeText(value);
  if (name === "parent" && typeof value === "string") return link(`block/${value}`, element("code", "", value));
  return typeof value === "string" ? element("code", "", value) : JSON.stringify(value);
}

function transactionDetails(found: ShownTransaction): Node[] {
  const { id, status, height, index, blockId, receipt, transaction } = found;
  const fields: [string, Node | string][] = [
    ["id", element("code", "", id)],
    ["status", status],
  ];
  if (height !== undefined)
    fields.push(["place", element("span", "", link(`block/${height}`, `block ${height}`), `, index ${index ?? ""}`)]);
  if (blockId !== undefined) fields.push(["block", link(`block/${blockId}`, element("code", "", blockId))]);
  const does = JSON.stringify(transaction?.operations ?? transaction?.payload) ?? "";
  fields.push(["does", element("div", "text", does)]);
  if (receipt !== undefined) fields.push(["receipt", element("div", "text", JSON.stringify(receipt))]);
  return [element("h2", "", "Transaction"), list(fields), verification(id)];
}

/** So far all was what the node says. */
function verification(id: string): HTMLElement {
  const known = element("input", "");
  known.placeholder = "chain id that you know (optional)";
  known.setAttribute("aria-label", known.placeholder);
  known.spellcheck = false;
  const button = element("button", "", "Verify in this browser");
  const form = element("form", "", known, button);
  form.id = "verify";
  const result = element("p", "");
  result.id = "result";
  const steps = element("ol", "");
  steps.id = "steps";
  const show = (all: readonly Step[]): void => steps.replaceChildren(...all.map(stepOf));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    result.textContent = "";
    const told = verifyTransaction(location.origin, id, known.value.trim(), show);
    void told
      .then(({ steps: all, ...outcome }) => {
        show(all);
        result.className = outcome.holds ? "good" : "bad";
        result.textContent = wordsOf(outcome);
      })
      .catch((error: unknown) => {
        result.className = "bad";
        result.textContent = `cannot be verified here: ${error instanceof Error ? error.message : String(error)}`;
      })
      .finally(() => (button.disabled = false));
  });
  const about = element(
    "p",
    "faint",
    "Above is what this node says. The light client believes none of it: it asks for proofs and checks them here, from the genesis on.",
  );
  return element("div", "", element("h3", "", "Proof"), about, form, result, steps);
}

const MARKS = { waits: "·", holds: "✓", fails: "✗" } as const;

function stepOf({ check, state, words }: Step): HTMLElement {
  const made = element(
    "li",
    state,
    element("span", "", MARKS[state]),
    element("strong", "", check),
    element("span", "", words),
  );
  made.dataset["check"] = check;
  return made;
}

function wordsOf({ holds, ms, bytes }: Pick<Outcome, "holds" | "ms" | "bytes">): string {
  const cost = `${Math.max(1, Math.round(ms))} ms, ${(bytes / 1000).toFixed(1)} kB`;
  return holds ? `verified in ${cost}` : `not proven: a check failed (${cost})`;
}
