/** What the parts of a client share: its nodes, its token, its platform. */
import { type Answer, type Asking, exchange, type NoAnswer } from "./exchange.ts";
import type { NodeEntry, Nodes } from "./nodes.ts";
import type { Platform } from "./platform.ts";

export class Caller {
  readonly nodes: Nodes;
  readonly platform: Platform;
  readonly token: string | undefined;

  constructor(nodes: Nodes, token: string | undefined, platform: Platform) {
    this.nodes = nodes;
    this.token = token;
    this.platform = platform;
  }

  exchange(node: NodeEntry, asking: Asking): Promise<Answer | NoAnswer> {
    return exchange(node.url, this.token, asking, this.platform);
  }
}
