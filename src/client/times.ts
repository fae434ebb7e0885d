import type { Duration } from '../grpc/gen/google/protobuf/duration.ts';
import type { Timestamp } from '../grpc/gen/google/protobuf/timestamp.ts';

/** A time as requests have it. */
export function timestampOf(date: Date): Timestamp {
  const seconds = Math.floor(date.getTime() / 1_000);
  return { seconds, nanos: (date.getTime() - seconds * 1_000) * 1_000_000 };
}

/** A time of an answer. */
export function dateOf({ seconds, nanos }: Timestamp): Date {
  return new Date(seconds * 1_000 + Math.floor(nanos / 1_000_000));
}

/** A length of time as requests have it, of milliseconds. */
export function durationOf(ms: number): Duration {
  const seconds = Math.trunc(ms / 1_000);
  return { seconds, nanos: Math.round((ms - seconds * 1_000) * 1_000_000) };
}
