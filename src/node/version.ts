/** Versions that this node tells others. */

/** Of the program; the same as in package.json, which a test checks. */
export const VERSION = "0.1.0";

/** Of what nodes say to one another. Another major version is refused. */
export const PROTOCOL_VERSION = { major: 1, minor: 0 } as const;
