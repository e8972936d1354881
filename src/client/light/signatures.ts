/** Ed25519 (RFC 8032) by Web Cryptography: Node 22, Chromium 137, Firefox 129, Safari 17. */
import type { SignatureClaim } from "../../../chain/signing.ts";
import { hexBytes } from "../../base/bytes.ts";

/** Are all of them signed by the keys that they name? */
export async function areSigned(claims: readonly SignatureClaim[]): Promise<boolean> {
  return (await Promise.all(claims.map(isSigned))).every((signed) => signed);
}

async function isSigned({ key, digest, signature }: SignatureClaim): Promise<boolean> {
  const { subtle } = globalThis.crypto;
  try {
    const imported = await subtle.importKey("raw", memoryOf(hexBytes(key)), "Ed25519", false, ["verify"]);
    return await subtle.verify("Ed25519", imported, memoryOf(signature), memoryOf(digest));
  } catch (error) {
    // No key, or no signature; where the platform has no Ed25519 at all nothing may look proven or disproven.
    if (error instanceof Error && error.name === "NotSupportedError") throw error;
    return false;
  }
}

/** Of its own: a view of shared memory is refused. */
function memoryOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
