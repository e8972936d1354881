/** The link layer's face. */

export { LinkError } from "./error.ts";
export { LinkLayer } from "./layer.ts";
export { DEFAULT_LIMITS } from "./limits.ts";
export * from "./types.ts";
