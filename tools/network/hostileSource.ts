/**
 * `node hostileSource.js start DIR`: a node as `cairn start DIR` runs it, that speaks the whole protocol and lies in one place: one byte of
 * one block of every range that it serves is another one.
 */
import { LinkLayer } from "../../net/link/layer.ts";
import type { Lane } from "../../net/link/types.ts";
import { decodeEnvelope } from "../../net/transport/envelope.ts";
import { decodePayload } from "../../consensus/messages.ts";
import { elementAt } from "../../chain/byteList.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { readNodeDirectory } from "../../src/node/directory.ts";
import { startHttp } from "../../src/node/http/server.ts";
import { makeLogger } from "../../src/node/logging.ts";
import { startNode } from "../../src/node/node.ts";

const send = Reflect.get(LinkLayer.prototype, "send") as LinkLayer["send"];
LinkLayer.prototype.send = function (this: LinkLayer, to: string, lane: Lane, parts: readonly Uint8Array[]): boolean {
  return send.call(this, to, lane, lane === "bulk" ? tampered(parts) : parts);
};

/** A range with the last byte of its middle block changed: of its last transaction, where it has some. */
function tampered(parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const frame = concatBytes(...parts);
  const opened = decodeEnvelope(frame);
  const decoded = opened && decodePayload("", opened.payload);
  if (decoded?.ok !== true || decoded.value.kind !== "rangeResponse") return parts;
  const { blocks } = decoded.value.response;
  if (blocks.count === 0) return parts;
  const block = elementAt(blocks, blocks.count >>> 1);
  block[block.length - 1] = (block.at(-1) as number) ^ 1;
  return [frame];
}

const directory = readNodeDirectory(process.argv[3] ?? "", {});
if (!directory.ok) throw new Error(directory.error.messages.join("; "));
const { dir, config, genesis, key } = directory.value;
const log = makeLogger({ ...config.log, level: "warn" });
const onFatal = (error: Error): never => {
  throw error;
};
const node = await startNode({ dir, config, genesis, key, log, onFatal });
const http = await startHttp(node.api, { ...config.http, log });
process.stdout.write(`listening ${http.url}\n`);
process.once("SIGTERM", () => {
  void http
    .close()
    .then(() => node.stop())
    .then(() => process.exit(0));
});
