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

/** Whether a request is for this target; false, too, for one that is written in more than ASCII. */
export function isTargetAt(
  bytes: Buffer,
  layout: CheckLayout,
  { method, host, path }: RequestTarget,
): boolean {
  const { methodAt, methodEnd, hostAt, hostEnd, pathAt, pathEnd } = layout;
  if (methodEnd - methodAt !== method.length || hostEnd - hostAt !== host.length) return false;
  const end = pathAt + path.length;
  if (end > pathEnd || (end < pathEnd && !isPathEnd(bytes[end] as number))) return false;
  return isAt(bytes, pathAt, path) && isAt(bytes, hostAt, host) && isAt(bytes, methodAt, method);
}

/** As `targetMark` makes it of a path in ASCII. */
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

/** Other characters than ASCII are never told from their first byte alone: they are as another text. */
function isAt(bytes: Buffer, from: number, text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f || bytes[from + at] !== code) return false;
  }
  return true;
}
