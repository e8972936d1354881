/** Server-sent events out of pieces of text, as they arrive (HTML standard, section 9.2). */

export interface ServerSentEvent {
  readonly id: string | undefined;
  /** Undefined: only an id, which says how far the sender is. */
  readonly data: string | undefined;
}

/** Thrown by {@link EventParser.push} for an event that is larger than it may be. */
export class EventTooLargeError extends Error {
  override readonly name = "EventTooLargeError";
}

/** Holds at most one unfinished event. What is not ended by an empty line is no event. */
export class EventParser {
  readonly #maxLength: number;
  /** Pieces of the unfinished line: joined once, whatever the number of pieces. */
  #line: string[] = [];
  #length = 0;
  #id: string | undefined;
  #data: string[] = [];

  /** @param maxLength of an event, in UTF-16 code units */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** The events that end in this piece. */
  *push(piece: string): Generator<ServerSentEvent, void, undefined> {
    let start = 0;
    for (let end = piece.indexOf("\n"); end !== -1; end = piece.indexOf("\n", start)) {
      this.#take(piece.slice(start, end));
      start = end + 1;
      const event = this.#endLine();
      if (event !== undefined) yield event;
    }
    this.#take(piece.slice(start));
  }

  #take(part: string): void {
    this.#length += part.length;
    if (this.#length > this.#maxLength)
      throw new EventTooLargeError(`an event of more than ${this.#maxLength} characters`);
    if (part !== "") this.#line.push(part);
  }

  #endLine(): ServerSentEvent | undefined {
    const line = this.#line.join("").replace(/\r$/, "");
    this.#line = [];
    if (line === "") return this.#endEvent();
    const [name, value] = splitField(line);
    if (name === "data") this.#data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    return undefined; // comments, retry and what is not known are passed over
  }

  #endEvent(): ServerSentEvent | undefined {
    const [id, data] = [this.#id, this.#data.length === 0 ? undefined : this.#data.join("\n")];
    this.#id = undefined;
    this.#data = [];
    this.#length = 0;
    return id === undefined && data === undefined ? undefined : { id, data };
  }
}

function splitField(line: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon === -1) return [line, ""];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value];
}
