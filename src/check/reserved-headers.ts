/**
 * Headers that are ours to set for the upstream, in lower case, with `-` for all but letters and digits: a client's
 * are removed whatever it writes between the letters, since CGI, PHP and WSGI read `x.postern.owner`,
 * `x_postern_owner` and `x-postern-owner` as one.
 */
export interface ReservedHeaders {
  /** Whatever begins so. */
  readonly prefixes: readonly string[];
  /** Whatever is read so. */
  readonly names: readonly string[];
}

export const ownHeaders: ReservedHeaders = { prefixes: ['x-postern-'], names: [] };

/** The name that a client's headers are compared with. */
export function readName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-');
}

/** What a byte of a header's name is read as; 0 for one of no ASCII character, which no name has (RFC 9110 §5.1). */
export function readByte(byte: number): number {
  if (byte >= 0x61 && byte <= 0x7a) return byte;
  if (byte >= 0x41 && byte <= 0x5a) return byte | 0x20;
  if (byte > 0x7f) return 0;
  return byte >= 0x30 && byte <= 0x39 ? byte : 0x2d;
}

/** Of ASCII alone: the names of fields have no other letters (RFC 9110 §5.1). */
export function lowerCase(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
