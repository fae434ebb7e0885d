import { describe, expect, it } from 'vitest';
import { formatSeconds, formatTime, parseDuration, parseTime } from '../../src/time/time.ts';

describe('time', () => {
  it.each([
    ['500ms', 500],
    ['15s', 15_000],
    ['1.5h', 5_400_000],
    ['90m', 5_400_000],
    ['30d', 2_592_000_000],
  ])('reads the duration %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  // A lifetime in [0,1) became "forever" elsewhere: nothing but a positive number with a unit is a duration.
  it.each([
    '',
    '0s',
    '0.0001ms',
    '15',
    '-1s',
    '1e3s',
    '1 s',
    '1S',
    's',
    'forever',
    '36526d',
    '1s1s',
    '.5s',
    '٣s',
  ])('reads no duration in %j', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  it.each([
    ['2025-12-31T23:59:59Z', Date.UTC(2025, 11, 31, 23, 59, 59)],
    ['2025-12-31t23:59:59.5z', Date.UTC(2025, 11, 31, 23, 59, 59, 500)],
    ['2026-01-01T01:00:00+01:00', Date.UTC(2026, 0, 1)],
  ])('reads the time %s', (text, ms) => {
    expect(parseTime(text)).toBe(ms);
  });

  it.each([
    '',
    '2025-12-31',
    '2025-12-31T23:59:59',
    '2025-02-30T00:00:00Z',
    '2025-13-01T00:00:00Z',
    '2025-12-31T24:00:00Z',
    '0000-12-31T23:59:59Z',
    '9999-12-31T23:59:59-00:01',
    'tomorrow',
    '1735689599',
  ])('reads no time in %j', (text) => {
    expect(parseTime(text)).toBeNull();
  });

  it('writes times to the second below, and durations in seconds', () => {
    expect(formatTime(Date.UTC(2025, 0, 1, 0, 0, 0, 999))).toBe('2025-01-01T00:00:00Z');
    expect([formatSeconds(60_000), formatSeconds(500)]).toEqual(['60s', '0.5s']);
  });
});
