/**
 * The other processes of `cairn bench lanes`: a link that echoes `urgent` and reads `bulk`, or a proxy that holds every
 * byte back for a while, to stand for distance. Prints one line when it serves; ends with its standard input.
 */
import { connect, createServer, type Socket } from "node:net";
import { LinkLayer } from "../../../net/link/index.ts";
import { initOf, seedOf } from "./identity.ts";
import { watchPauses } from "./pauses.ts";

/** A proxy holds so much in each direction at most; more than a round trip of any path that is asked for. */
const PROXY_BYTES = 256 * 1024 * 1024;

process.stdin.resume().once("end", () => process.exit(0));
const [role, ...rest] = process.argv.slice(2);
if (role === "proxy") proxy(Number(rest[0]), Number(rest[1]));
else await echo(String(rest[0]), JSON.parse(String(rest[1])));

async function echo(target: string, limits: object): Promise<void> {
  const pauses = watchPauses();
  const links = await LinkLayer.start(
    {
      privateKeySeed: seedOf(2),
      listen: "127.0.0.1:0",
      init: () => initOf("sink"),
      maxPeers: 4,
      log: () => {},
      limits,
    },
    {
      up: () => process.stdout.write("up\n"),
      down: () => process.exit(0),
      message: (peer, lane, payload) => {
        // An empty message asks for this process's pauses.
        if (lane === "urgent" && payload.length === 0)
          links.send(peer, "chain", [Buffer.from(JSON.stringify(pauses.take()))]);
        else if (lane === "urgent") links.send(peer, "urgent", [payload]);
      },
      drained: () => {},
      refused: (_peer, reason, detail) => process.stderr.write(`refused: ${reason} ${detail}\n`),
    },
  );
  links.setTarget(target);
}

/** Listens on a free port; both directions arrive `oneWayMs` later. */
function proxy(targetPort: number, oneWayMs: number): void {
  const server = createServer((near) => {
    const far = connect(targetPort, "127.0.0.1");
    for (const socket of [near, far]) socket.setNoDelay(true);
    delay(near, far, oneWayMs);
    delay(far, near, oneWayMs);
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    process.stdout.write(`${typeof address === "object" ? address?.port : ""}\n`);
  });
}

function delay(from: Socket, to: Socket, ms: number): void {
  const held: { readonly data: Buffer; readonly due: number }[] = [];
  let heldBytes = 0;
  const release = (): void => {
    const now = performance.now();
    while (held[0] !== undefined && held[0].due <= now) {
      const { data } = held.shift()!;
      heldBytes -= data.length;
      to.write(data);
    }
    if (heldBytes < PROXY_BYTES && from.isPaused()) from.resume();
    if (held[0] !== undefined) setTimeout(release, Math.max(1, held[0].due - now));
  };
  from.on("data", (data: Buffer) => {
    held.push({ data, due: performance.now() + ms });
    heldBytes += data.length;
    if (heldBytes >= PROXY_BYTES) from.pause();
    if (held.length === 1) setTimeout(release, ms);
  });
  from.on("close", () => to.destroy());
  from.on("error", () => to.destroy());
}
