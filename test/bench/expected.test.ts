import { expect, it } from 'vitest';
import { allowed } from '../../bench/client/answer.ts';
import { isExpected } from '../../bench/client/expected.ts';

const at = 1_800_000_000_000;
const lapse = { outcomes: [allowed], change: { at, outcomes: [402] } };
const from = (sentAt: number, answeredAt: number) => ({ sentAt: at + sentAt, answeredAt: at + answeredAt });

it('takes one of its answers alone where nothing changes', () => {
  const flood = { outcomes: [401, 503], change: null };
  expect(isExpected(flood, 503, from(0, 1))).toBe(true);
  expect(isExpected(flood, 402, from(0, 1))).toBe(false);
});

it('takes no denial of a Check that was answered before the change', () => {
  expect(isExpected(lapse, allowed, from(-101, -100))).toBe(true);
  expect(isExpected(lapse, 402, from(-101, -100))).toBe(false);
});

it('takes no allow of a Check that was sent after the change', () => {
  expect(isExpected(lapse, 402, from(100, 101))).toBe(true);
  expect(isExpected(lapse, allowed, from(100, 101))).toBe(false);
});

it('takes either of a Check that was in the air meanwhile, and nothing else', () => {
  expect(isExpected(lapse, allowed, from(-500, 500))).toBe(true);
  expect(isExpected(lapse, 402, from(-500, 500))).toBe(true);
  expect(isExpected(lapse, 401, from(-500, 500))).toBe(false);
});
