import { formatTimeMs } from '../../../time/time.ts';
import type { Duration } from '../../gen/google/protobuf/duration.ts';
import type { Timestamp } from '../../gen/google/protobuf/timestamp.ts';

/** A time with its milliseconds. */
export function timestampOf(ms: number): Timestamp {
  const whole = Math.floor(ms / 1_000);
  return { seconds: whole, nanos: (ms - whole * 1_000) * 1_000_000 };
}

/** A time to the second below. */
export function seconds(ms: number | null): Timestamp | undefined {
  return ms === null ? undefined : { seconds: Math.floor(ms / 1_000), nanos: 0 };
}

export function durationOf(ms: number): Duration {
  const whole = Math.floor(ms / 1_000);
  return { seconds: whole, nanos: (ms - whole * 1_000) * 1_000_000 };
}

/** As text, for the one reader of inputs; what protobuf does not take for a time reads as itself and is refused there. */
export function timeText({ seconds: whole, nanos }: Timestamp): string {
  const ms = whole * 1_000 + Math.floor(nanos / 1_000_000);
  return isFraction(nanos) && Number.isFinite(new Date(ms).getTime())
    ? formatTimeMs(ms)
    : `${whole}.${nanos}`;
}

/** As text, for the one reader of inputs; what protobuf does not take for a duration, or is less than none, is refused there. */
export function durationText(duration: Duration | undefined): string {
  const { seconds: whole, nanos } = duration ?? { seconds: 0, nanos: 0 };
  return isFraction(nanos) ? `${whole + nanos / 1_000_000_000}s` : `${whole}.${nanos}s`;
}

/** Nanoseconds of a second, counted forward (google/protobuf/timestamp.proto, duration.proto). */
function isFraction(nanos: number): boolean {
  return nanos >= 0 && nanos < 1_000_000_000;
}
