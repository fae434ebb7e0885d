import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLease } from '../../../src/store/feed/lease.ts';

const stalenessMaxMs = 15_000;

function setting() {
  const clock = { monotonic: 1_000, wall: 5_000_000 };
  const pass = (ms: number) => {
    clock.monotonic += ms;
    clock.wall += ms;
  };
  const lease = createLease({ stalenessMaxMs, now: () => clock.wall, monotonic: () => clock.monotonic });
  return { clock, pass, lease };
}

describe('the lease', () => {
  it('is not held before a beat was seen', () => {
    const { lease } = setting();
    expect(lease.isHeld()).toBe(false);
    lease.begin();
    expect(lease.isHeld()).toBe(false);
  });

  it('counts from before the beat was written, not from when it was seen', () => {
    const { lease, pass } = setting();
    const beat = lease.begin();
    pass(4_000);
    lease.seen(beat);
    pass(10_999);
    expect(lease.isHeld()).toBe(true);
    pass(1);
    expect(lease.isHeld()).toBe(false);
  });

  it('is not held by a beat that was seen too late', () => {
    const { lease, pass } = setting();
    const beat = lease.begin();
    pass(stalenessMaxMs);
    lease.seen(beat);
    expect(lease.isHeld()).toBe(false);
  });

  it('takes no notice of a beat of another run, nor of one that was seen before', () => {
    const { lease, pass } = setting();
    const beat = lease.begin();
    lease.seen(beat + 1);
    lease.seen(Number.NaN);
    expect(lease.isHeld()).toBe(false);
    lease.seen(beat);
    pass(stalenessMaxMs);
    lease.seen(beat);
    expect(lease.isHeld()).toBe(false);
  });

  it('is not set back by an older beat that arrives after a newer one', () => {
    const { lease, pass } = setting();
    const older = lease.begin();
    pass(10_000);
    lease.seen(lease.begin());
    lease.seen(older);
    pass(14_999);
    expect(lease.isHeld()).toBe(true);
  });

  it('once ended is held again only by a beat that began afterwards', () => {
    const { lease } = setting();
    lease.seen(lease.begin());
    const before = lease.begin();
    lease.end();
    expect(lease.isHeld()).toBe(false);
    lease.seen(before);
    expect(lease.isHeld()).toBe(false);
    lease.seen(lease.begin());
    expect(lease.isHeld()).toBe(true);
  });

  it('ends when the machine slept, which stops its monotonic clock', () => {
    const { lease, clock } = setting();
    lease.seen(lease.begin());
    clock.wall += stalenessMaxMs;
    expect(lease.isHeld()).toBe(false);
  });

  it('is no longer when the wall clock is set back', () => {
    const { lease, clock, pass } = setting();
    lease.seen(lease.begin());
    clock.wall -= 3_600_000;
    pass(stalenessMaxMs);
    expect(lease.isHeld()).toBe(false);
  });

  it('is held no longer than the bound after the beginning of the latest beat that was seen', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('begin') }),
      fc.record({ kind: fc.constant('end') }),
      fc.record({ kind: fc.constant('seen'), beat: fc.nat(20) }),
      fc.record({ kind: fc.constant('pass'), ms: fc.nat(10_000) }),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { lease, clock, pass } = setting();
        const began = new Map<number, number>();
        let since = Number.NEGATIVE_INFINITY;
        for (const taken of steps) {
          if (taken.kind === 'begin') began.set(lease.begin(), clock.monotonic);
          if ('ms' in taken) pass(taken.ms);
          if (taken.kind === 'end') {
            lease.end();
            began.clear();
            since = Number.NEGATIVE_INFINITY;
          }
          if ('beat' in taken) {
            lease.seen(taken.beat);
            since = Math.max(since, began.get(taken.beat) ?? Number.NEGATIVE_INFINITY);
          }
          expect(lease.isHeld()).toBe(clock.monotonic - since < stalenessMaxMs);
        }
      }),
    );
  });
});
