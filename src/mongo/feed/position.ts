import { Timestamp } from 'mongodb';

/**
 * Up to which cluster time a change stream has told of everything, by its resume token; null for one that does not say.
 * The server gives a new one with each answer, also where there was nothing to tell: it has then looked so far. A token
 * is a text of hexadecimal digits in the order of the oplog, and begins with the kind of what follows, 0x82 for a
 * timestamp: seconds and a count in them.
 * https://github.com/mongodb/mongo/blob/master/src/mongo/db/pipeline/resume_token.h
 */
export function positionOf(resumeToken: unknown): Timestamp | null {
  const data = (resumeToken as { readonly _data?: unknown } | null | undefined)?._data;
  const [, seconds, count] = (typeof data === 'string' && /^82([0-9a-f]{8})([0-9a-f]{8})/i.exec(data)) || [];
  if (seconds === undefined || count === undefined) return null;
  return new Timestamp({ t: Number.parseInt(seconds, 16), i: Number.parseInt(count, 16) });
}

/** The last cluster time that is certainly earlier; null where that of the position is not known. */
export function justBefore(position: Timestamp | null): Timestamp | null {
  if (position === null) return null;
  const { t, i } = position;
  return i > 0 ? new Timestamp({ t, i: i - 1 }) : new Timestamp(position.toBigInt() - 1n);
}
