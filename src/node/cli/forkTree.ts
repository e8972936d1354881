/** The tree of branches above the irreversible block, drawn for people: indented only where it forks. */
import type { ForkView } from "../api.ts";
import { colour, printable, shortId } from "./terminal.ts";

export function drawForks(root: ForkView): string {
  const lines: string[] = [];
  drawRun(root, "", "", lines);
  return lines.join("\n");
}

/** A node and, below it in the same column, its only child and so on; then the branches. */
function drawRun(start: ForkView, first: string, rest: string, lines: string[]): void {
  let node = start;
  let prefix = first;
  for (;;) {
    lines.push(`${prefix}${nodeText(node, lines.length === 0)}`);
    prefix = rest;
    const [only] = node.children;
    if (only === undefined || node.children.length > 1) break;
    node = only;
  }
  // Side branches before the best one: the longest part comes last.
  const children = node.children.toSorted((a, b) => Number(a.onBestChain) - Number(b.onBestChain));
  for (const [index, child] of children.entries()) {
    const isLast = index === children.length - 1;
    drawRun(child, `${rest}${isLast ? "└─ " : "├─ "}`, `${rest}${isLast ? "   " : "│  "}`, lines);
  }
}

function nodeText(node: ForkView, isRoot: boolean): string {
  const { height, id, view, producer, transactions, isHead, invalid } = node;
  const marks = [
    isRoot ? colour("green", "irreversible") : "",
    isHead ? colour("cyan", "head") : "",
    invalid === undefined ? "" : colour("red", `invalid: ${printable(invalid)}`),
  ].filter((mark) => mark !== "");
  const text = `${height}  ${shortId(id)}  view ${view}  by ${shortId(producer)}  ${transactions} tx`;
  return marks.length === 0 ? text : `${text}  ${marks.join(", ")}`;
}
