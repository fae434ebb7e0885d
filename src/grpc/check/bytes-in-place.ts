import { isPathEnd, markedMax, markNext, markStart, type RequestTarget } from '../../check/request-target.ts';
import { type ReservedHeaders, readByte } from '../../check/reserved-headers.ts';
import type { CheckLayout } from './check-layout.ts';

/** Whether an upstream could take the name there, of that length, for one of these. */
export function isReservedAt(
  bytes: Buffer,
  from: number,
  length: number,
  { prefixes, names }: ReservedHeaders,
): boolean {
  for (const prefix of prefixes) if (length >= prefix.length && readsAs(bytes, from, prefix)) return true;
  for (const name of names) if (length === name.length && readsAs(bytes, from, name)) return true;
  return false;
}

/** Whether what begins there is read as this text, whatever it has between letters and digits. */
function readsAs(bytes: Buffer, from: number, text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (readByte(bytes[from + at] as number) !== text.charCodeAt(at)) return false;
  }
  return true;
}

/** Whether a request is for this target. Read from the end of the path, where those of one API differ. */
export function isTargetAt(bytes: Buffer, layout: CheckLayout, target: RequestTarget): boolean {
  const { methodAt, methodEnd, hostAt, hostEnd, pathAt, pathEnd } = layout;
  const { bytes: wanted, from, pathLength, hostLength, methodLength } = target;
  if (methodEnd - methodAt !== methodLength || hostEnd - hostAt !== hostLength) return false;
  const end = pathAt + pathLength;
  if (end > pathEnd || (end < pathEnd && !isPathEnd(bytes[end] as number))) return false;
  const hostFrom = from + pathLength;
  return (
    isAt(bytes, pathAt, wanted, from, pathLength) &&
    isAt(bytes, hostAt, wanted, hostFrom, hostLength) &&
    isAt(bytes, methodAt, wanted, hostFrom + hostLength, methodLength)
  );
}

/** Of the path there without its query: see `AccessRequest.mark`. */
export function markAt(bytes: Buffer, { pathAt, pathEnd }: CheckLayout): number {
  const end = Math.min(pathEnd, pathAt + markedMax);
  let mark = markStart;
  for (let at = pathAt; at < end; at++) {
    const byte = bytes[at] as number;
    if (isPathEnd(byte)) break;
    mark = markNext(mark, byte);
  }
  return mark;
}

/** Whether what stands there is these bytes and no more. */
export function isSameAt(bytes: Buffer, at: number, end: number, wanted: Uint8Array): boolean {
  return end - at === wanted.length && isAt(bytes, at, wanted, 0, wanted.length);
}

function isAt(bytes: Buffer, at: number, wanted: Uint8Array, from: number, length: number): boolean {
  for (let back = length - 1; back >= 0; back--) if (bytes[at + back] !== wanted[from + back]) return false;
  return true;
}
