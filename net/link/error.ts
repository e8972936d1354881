import type { LinkErrorCode } from "./types.ts";

/** A call that could not be carried out; `code` is stable. */
export class LinkError extends Error {
  readonly code: LinkErrorCode;

  /** Of `LISTEN_FAILED`: what the system said, such as `EADDRINUSE`. */
  readonly systemCode: string | undefined;

  constructor(code: LinkErrorCode, message: string, options?: ErrorOptions & { readonly systemCode?: string }) {
    super(message, options);
    this.name = "LinkError";
    this.code = code;
    this.systemCode = options?.systemCode;
  }
}
