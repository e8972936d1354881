/** Ending a connection at once, whatever state it is in. */
import type { Connection } from "@libp2p/interface";

/**
 * libp2p 3 says goodbye on the stream below as it aborts, and throws when that has closed a moment before: then there is
 * nothing left to end, and nobody above who could do anything about it.
 */
export function abortConnection(connection: Pick<Connection, "abort">, error: Error): void {
  try {
    connection.abort(error);
  } catch {
    // closed already
  }
}
