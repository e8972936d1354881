/** A reader of server-sent events, for tests: what a browser would make of the text, and the raw text. */
export interface SseEvent {
  readonly id: string;
  readonly data: string | undefined;
}

export class SseReader {
  readonly response: Response;
  readonly events: SseEvent[] = [];
  text = "";
  hasEnded = false;
  readonly #controller: AbortController;

  private constructor(response: Response, controller: AbortController) {
    this.response = response;
    this.#controller = controller;
    void this.#read();
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<SseReader> {
    const controller = new AbortController();
    return new SseReader(await fetch(url, { headers, signal: controller.signal }), controller);
  }

  /** Heights of the blocks told so far. */
  get heights(): number[] {
    return this.blocks.map(({ height }) => height);
  }

  get blocks(): { height: number; id: string; transactions: { index: number }[]; receipts: unknown[] }[] {
    return this.events.flatMap(({ data }) => (data === undefined ? [] : [JSON.parse(data)]));
  }

  close(): void {
    this.#controller.abort();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const chunk of this.response.body as unknown as AsyncIterable<Uint8Array>) {
        const text = decoder.decode(chunk, { stream: true });
        this.text += text;
        const parts = (rest + text).split("\n\n");
        rest = parts.pop() as string;
        for (const part of parts) this.#take(part);
      }
    } catch {
      // Broken off by one of the two.
    }
    this.hasEnded = true;
  }

  #take(part: string): void {
    const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, "m").exec(part)?.[1];
    const id = field("id");
    if (id !== undefined) this.events.push({ id, data: field("data") });
  }
}
