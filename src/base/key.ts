/** A node's identity: its Ed25519 public key as 64 lower-case hex digits. The libp2p peer id is derived from it. */
export type PeerKey = string;
