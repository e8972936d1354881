/**
 * noise hands each message to the socket as a list of pieces (length, ciphertext, tag), and @libp2p/tcp writes each
 * piece with a system call of its own, a TCP packet each. Joined, a message is one write; the copy is cheaper than the
 * calls it saves (docs/decisions/010-link.md has the measurement).
 */

import type { ConnectionEncrypter, MessageStream } from "@libp2p/interface";

type Create<Components> = (components: Components) => ConnectionEncrypter;

/** A libp2p `connectionEncrypters` entry whose messages leave in one write each. */
export function oneWrite<Components>(create: Create<Components>): Create<Components> {
  return (components) => {
    const inner = create(components);
    return {
      protocol: inner.protocol,
      secureInbound: async (connection, options) => withMuxer(await inner.secureInbound(joining(connection), options)),
      secureOutbound: async (connection, options) =>
        withMuxer(await inner.secureOutbound(joining(connection), options)),
    };
  };
}

/** Our nodes name their muxer within the handshake; who does not would have to negotiate it, by names without a bound. */
function withMuxer<Secured extends { readonly streamMuxer?: unknown }>(secured: Secured): Secured {
  if (secured.streamMuxer === undefined) throw new Error("no muxer is named in the handshake");
  return secured;
}

function joining<Connection extends MessageStream>(connection: Connection): Connection {
  const send = connection.send.bind(connection);
  connection.send = (data) => send(data instanceof Uint8Array ? data : data.subarray());
  return connection;
}
