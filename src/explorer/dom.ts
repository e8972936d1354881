/** Elements made by hand. What comes from a node becomes text and attributes named here, never markup. */

type Child = Node | string;

/** @param classes of it, separated by blanks; none when empty */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  classes: string,
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (classes !== "") made.className = classes;
  made.append(...children);
  return made;
}

/** A link within the page. */
export function link(to: string, ...children: readonly Child[]): HTMLAnchorElement {
  const made = element("a", "", ...children);
  made.href = `#/${to.split("/").map(encodeURIComponent).join("/")}`;
  return made;
}

/** The first digits of an id or key; all of it on hover. */
export function short(id: string): HTMLElement {
  const made = element("code", "", id.slice(0, 12));
  made.title = id;
  return made;
}

export function row(...cells: readonly (Child | { readonly number: Child })[]): HTMLTableRowElement {
  const made = element("tr", "");
  for (const cell of cells) {
    const isNumber = typeof cell === "object" && !(cell instanceof Node);
    made.append(isNumber ? element("td", "number", cell.number) : element("td", "", cell));
  }
  return made;
}

/** Names and values, one below the other. */
export function list(entries: readonly (readonly [name: string, value: Child])[]): HTMLDListElement {
  return element("dl", "", ...entries.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
}

/** An element of index.html. */
export function part(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found;
}

/** A time of the chain, as people here write it. */
export function timeText(timeMs: number): string {
  const time = new Date(timeMs);
  return Number.isNaN(time.getTime()) ? String(timeMs) : time.toLocaleString();
}
