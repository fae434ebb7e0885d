/**
 * Room `time/`: Times, durations and clocks. Here: what reads or formats a time, watches the system clock, or
 * paces work that repeats. Not here: anything that knows what a key is.
 */

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Milliseconds of a duration: a positive decimal with a unit, `ms`, `s`, `m`, `h` or `d` (`15s`, `1.5h`,
 * `30d`). Null for anything else: a bare number, zero, less than a millisecond, more than 100 years.
 */
export function parseDuration(text: string): number | null {
  const match = /^([0-9]{1,15}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) return null;
  const ms = Math.round(Number(match[1]) * (unitMs[match[2] ?? ''] ?? Number.NaN));
  return ms >= 1 && ms <= 36_525 * 86_400_000 ? ms : null;
}

/** The shortest whole form of a duration in seconds, as protobuf's JSON has it: `60s`, `0.5s`. */
export function formatSeconds(ms: number): string {
  return `${ms / 1_000}s`;
}

/** RFC 3339 in UTC, to the second below. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** RFC 3339 in UTC, with milliseconds. */
export function formatTimeMs(ms: number): string {
  return new Date(ms).toISOString();
}

/** What both RFC 3339 and protobuf's Timestamp can say: the years 1 to 9999 of UTC. */
const firstMs = -62_135_596_800_000;
const lastMs = 253_402_300_799_999;

/**
 * Unix milliseconds of an RFC 3339 time with a zone; null for anything else, leap seconds and what is not in the
 * years 1 to 9999 of UTC included.
 */
export function parseTime(text: string): number | null {
  const match =
    /^(\d{4}-\d{2}-\d{2})[Tt ]((?:[01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d{1,9})?)([Zz]|[+-]\d{2}:\d{2})$/.exec(
      text,
    );
  if (match === null) return null;
  const [, date = '', clock = '', zone = ''] = match;
  const ms = Date.parse(`${date}T${clock}${zone.toUpperCase()}`);
  if (!(ms >= firstMs && ms <= lastMs)) return null;
  // Date.parse turns 30 February into 1 March.
  const utc = Date.parse(`${date}T00:00:00Z`);
  return new Date(utc).toISOString().startsWith(date) ? ms : null;
}
