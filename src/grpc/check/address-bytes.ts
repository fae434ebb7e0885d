import { isIP } from 'node:net';

/** No address is written longer (RFC 4291, section 2.2): what is longer is none, and is not even made a text. */
const addressBytesMax = 45;

/**
 * The IP address that these bytes are; empty where they are none, so that what is no address is judged as none and
 * written nowhere. IPv4 is told in place, at a tenth of what the library takes.
 */
export function addressIn(bytes: Buffer, from: number, to: number): string {
  if (to - from > addressBytesMax || from === to) return '';
  const text = bytes.toString('latin1', from, to);
  if (isIPv4At(bytes, from, to)) return text;
  return isIP(text) === 0 || text.includes('%') ? '' : text;
}

function isIPv4At(bytes: Buffer, from: number, to: number): boolean {
  let parts = 1;
  let digits = 0;
  let value = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte === 0x2e && digits > 0) {
      parts++;
      digits = value = 0;
      continue;
    }
    const isLeadingZero = digits > 0 && value === 0;
    value = value * 10 + byte - 0x30;
    if (byte < 0x30 || byte > 0x39 || isLeadingZero || value > 255) return false;
    digits++;
  }
  return parts === 4 && digits > 0;
}

/** The address that a header names once; empty, which is in no allowlist, for several or for none that is an address. */
export function addressOfHeader(values: readonly string[]): string {
  const [address = ''] = values;
  return values.length === 1 && isIP(address) !== 0 && !address.includes('%') ? address : '';
}
