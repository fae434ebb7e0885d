import { expect, it } from 'vitest';
import { createServiceClock } from '../../src/controller/service-clock.ts';

it('tells the time of the service from its last answer on, whatever the clock of this machine says', () => {
  let monotonic = 5_000;
  let own = Date.UTC(2031, 0, 1);
  const clock = createServiceClock({ now: () => own, monotonic: () => monotonic });
  expect(clock.now()).toBe(own);

  clock.see('Sun, 29 Nov 2026 23:59:58 GMT');
  monotonic += 3_000;
  own -= 86_400_000;
  expect(clock.now()).toBe(Date.UTC(2026, 10, 30, 0, 0, 1));
  clock.see('Sun, 29 Nov 2026 23:59:59 GMT');
  expect(clock.now()).toBe(Date.UTC(2026, 10, 29, 23, 59, 59));
});

it.each([null, '', 'yesterday'])('keeps what it knows where an answer has the date %j', (date) => {
  const clock = createServiceClock({ now: () => 7, monotonic: () => 0 });
  clock.see(date);
  expect(clock.now()).toBe(7);
  clock.see('Sun, 29 Nov 2026 23:59:58 GMT');
  clock.see(date);
  expect(clock.now()).toBe(Date.UTC(2026, 10, 29, 23, 59, 58));
});
