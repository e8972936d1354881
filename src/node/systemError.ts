/** The errors of files and sockets in words that say what to do. */

/** Stable code of a thrown system error, such as `ENOENT`; undefined for other values. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Why a file could not be read. */
export function whyNotRead(file: string, error: unknown): string {
  switch (systemCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return `${file} does not exist`;
    case "EACCES":
    case "EPERM":
      return `${file} cannot be read: permission denied`;
    case "EISDIR":
      return `${file} is a directory`;
    default:
      return `${file} cannot be read: ${messageOf(error)}`;
  }
}

/** Why a file or directory could not be made or written. */
export function whyNotWritten(path: string, error: unknown): string {
  switch (systemCode(error)) {
    case "EEXIST":
      return `${path} exists already`;
    case "ENOENT":
    case "ENOTDIR":
      return `${path}: its directory does not exist`;
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `${path} cannot be written: permission denied`;
    case "ENOSPC":
      return `${path} cannot be written: no space left on the disk`;
    default:
      return `${path} cannot be written: ${messageOf(error)}`;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
