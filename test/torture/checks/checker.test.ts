import { expect, it } from 'vitest';
import { judge, type Rule } from './checker.ts';
import type { ChangeRecord, CheckRecord, HistoryRecord, Operation, StateRecord } from './history.ts';

const stalenessMaxMs = 3_000;
/** A whole number of the windows below, so that a window begins at instant 0. */
const wallOffset = 1_700_000_000_000;
const opening: HistoryRecord = { type: 'opening', seed: 1, stalenessMaxMs, wallOffset };

const created = change('create', 100, 110);

it.each<[title: string, history: HistoryRecord[]]>([
  ['a key that is used, revoked and refused', [created, check(120), revoked(200, 220), denied(230)]],
  ['an allow of a Check that began before the answer', [created, revoked(200, 220), check(219, 500)]],
  [
    'an allow before effective_at, where that is in the future',
    [created, revoked(200, 220, 3_215), check(3_200, 3_500)],
  ],
  ['an allow after a revocation that nobody answered', [created, unanswered('revoke', 200), check(5_000)]],
  ['a denial after a revocation that nobody answered', [created, unanswered('revoke', 200), denied(5_000)]],
  ['no answer for a good key', [created, check(120, 140, 'unavailable'), check(150, 170, 'none')]],
  [
    'an allow of a key that was given back',
    [created, change('disable', 200, 220), change('enable', 300, 310), check(305)],
  ],
  [
    'a denial that is no staler than staleness_max of a key that was given back',
    [created, change('disable', 200, 220), change('enable', 300, 310), denied(3_300)],
  ],
  [
    'any answer where a change that takes and one that gives were under way at once',
    [created, change('disable', 200, 220), change('enable', 210, 230), check(400), denied(400)],
  ],
  ['a key of an owner who is suspended', [ownKey(), suspended(200, 220), denied(230)]],
  ['a key whose role was narrowed', [roleKey(), ofRole('narrow', 200, 220), denied(230)]],
  [
    'a key whose role was removed and made again',
    [roleKey(), ofRole('remove', 200, 220), denied(230), ofRole('widen', 300, 310), check(320)],
  ],
  ['a key of another role than the one that was narrowed', [created, ofRole('narrow', 200, 220), check(230)]],
  [
    'a key that is read as it was left',
    [created, state(120, 'active'), revoked(200, 220), state(300, 'revoked')],
  ],
  ['a key that is read while it changes', [created, revoked(200, 220), state(210, 'active')]],
  ['a window that is used up', [limited(10), ...checks(10, 1_000, 1_900), ...limitDenials(20, 1_000, 1_990)]],
  [
    'a window that is used up before its end and again after it',
    [limited(10), ...checks(10, 1_900, 1_990), ...checks(10, 2_010, 2_100)],
  ],
  [
    'a window that is not used up in a fault',
    [limited(10), fault(900, 1_500), ...checks(2, 1_000, 1_100), ...limitDenials(30, 1_000, 1_990)],
  ],
])('finds no fault with %s', (_title, history) => {
  expect(judge([opening, ...history])).toEqual([]);
});

it.each<[title: string, rule: Rule, history: HistoryRecord[]]>([
  [
    'an allow after RevokeKey returned',
    'no allow once a change that takes away has come into effect',
    [created, revoked(200, 220), check(221)],
  ],
  [
    'an allow after DisableKey returned',
    'no allow once a change that takes away has come into effect',
    [created, change('disable', 200, 220), check(221)],
  ],
  [
    'an allow after the role was narrowed',
    'no allow once a change that takes away has come into effect',
    [roleKey(), ofRole('narrow', 200, 220), check(221)],
  ],
  [
    'an allow after the role was removed',
    'no allow once a change that takes away has come into effect',
    [roleKey(), ofRole('remove', 200, 220), check(221), ofRole('widen', 300, 310)],
  ],
  [
    'a denial long after the role was widened again',
    'a key that was given back is allowed once staleness_max has passed',
    [roleKey(), ofRole('narrow', 200, 220), ofRole('widen', 300, 310), denied(3_320)],
  ],
  [
    'a denial of a key whose role gives what it asks for',
    'a good key is never denied',
    [roleKey(), denied(120, 130, 'permission_denied')],
  ],
  [
    'an allow after the owner was suspended',
    'no allow once a change that takes away has come into effect',
    [ownKey(), suspended(200, 220), check(221)],
  ],
  [
    'an allow after effective_at',
    'no allow once a change that takes away has come into effect',
    [created, revoked(200, 220, 3_215), check(3_218)],
  ],
  [
    'an allow after a revocation that an EnableKey came after',
    'no allow once a change that takes away has come into effect',
    [
      created,
      revoked(200, 220),
      { ...change('enable', 300, 310), outcome: 'refused', status: 400 },
      check(400),
    ],
  ],
  [
    'an allow between two changes that give back',
    'no allow once a change that takes away has come into effect',
    [
      created,
      change('disable', 200, 220),
      change('enable', 300, 310),
      change('disable', 400, 420),
      check(430),
    ],
  ],
  ['an allow of a key that nobody made', 'no allow of a key that was never made', [check(120)]],
  ['`unknown` for a key that was made', 'a good key is never denied', [created, denied(111, 130, 'unknown')]],
  [
    'a denial before the revocation began',
    'a good key is never denied',
    [created, denied(150), revoked(200, 220)],
  ],
  [
    'a rate limit of a key that has none',
    'a good key is never denied',
    [created, denied(120, 130, 'rate_limited')],
  ],
  [
    'a denial long after EnableKey returned',
    'a key that was given back is allowed once staleness_max has passed',
    [created, change('disable', 200, 220), change('enable', 300, 310), denied(3_320)],
  ],
  ['a key that is gone', 'what was acknowledged is kept', [created, state(500, 'absent')]],
  [
    'a change that is refused as of no key',
    'what was acknowledged is kept',
    [created, { ...change('disable', 300, 310), outcome: 'refused', status: 404 }],
  ],
  [
    'a revocation that is gone',
    'what was acknowledged is kept',
    [created, revoked(200, 220), state(500, 'active')],
  ],
  [
    'a key that is still disabled',
    'what was acknowledged is kept',
    [created, change('disable', 200, 220), change('enable', 300, 310), state(500, 'disabled')],
  ],
  ['more than the limit', 'no more than the limit in a window', [limited(10), ...checks(11, 1_010, 1_900)]],
  [
    'much less than the limit where it is asked for',
    'nearly all of the limit where more is asked for',
    [limited(10), ...checks(9, 1_010, 1_100), ...limitDenials(30, 1_010, 1_990)],
  ],
  [
    'an effective_at past the bound',
    'effective_at is no later than staleness_max after the answer',
    [created, revoked(200, 220, 3_230)],
  ],
])('finds %s', (_title, rule, history) => {
  expect(judge([opening, ...history]).map((violation) => violation.rule)).toEqual([rule]);
});

it('names the records that show what is wrong', () => {
  const [revocation, late] = [revoked(200, 220), check(230)];
  expect(judge([opening, created, revocation, late])).toEqual([
    {
      rule: 'no allow once a change that takes away has come into effect',
      what: 'replica-b let in key 10 ms after the revoke by replica-a was in effect',
      records: [revocation, late],
    },
  ]);
});

function change(operation: Operation, begin: number, end: number): ChangeRecord {
  const isTaking = ['revoke', 'disable', 'suspend', 'narrow', 'remove'].includes(operation);
  return {
    ...{ type: 'change', replica: 'replica-a', operation, subject: 'key', begin, end, wallOffset },
    ...{ outcome: 'done', status: 200 },
    ...(isTaking && { effectiveAt: wallOffset + end - 1, unconfirmed: [] }),
  };
}

function revoked(begin: number, end: number, effective = end - 1): ChangeRecord {
  return { ...change('revoke', begin, end), effectiveAt: wallOffset + effective };
}

function unanswered(operation: Operation, begin: number): ChangeRecord {
  const { effectiveAt: _at, unconfirmed: _unconfirmed, ...asked } = change(operation, begin, begin + 4_000);
  return { ...asked, outcome: 'unknown', status: 0 };
}

function suspended(begin: number, end: number): ChangeRecord {
  return { ...change('suspend', begin, end), subject: 'acme' };
}

function ownKey(): ChangeRecord {
  return { ...created, owner: 'acme' };
}

function roleKey(): ChangeRecord {
  return { ...created, role: 'reader' };
}

function ofRole(operation: 'narrow' | 'remove' | 'widen', begin: number, end: number): ChangeRecord {
  return { ...change(operation, begin, end), subject: 'reader' };
}

function limited(limit: number): ChangeRecord {
  return { ...created, limit: { limit, windowMs: 1_000 } };
}

function check(begin: number, end = begin + 5, verdict: CheckRecord['verdict'] = 'allowed'): CheckRecord {
  return { type: 'check', replica: 'replica-b', key: 'key', begin, end, verdict, reason: '' };
}

function denied(begin: number, end = begin + 5, reason = 'revoked'): CheckRecord {
  return { ...check(begin, end, 'denied'), reason };
}

/** So many, the first beginning at `from`, the last ending by `to`. */
function checks(count: number, from: number, to: number): CheckRecord[] {
  const stepMs = (to - from - 5) / count;
  return Array.from({ length: count }, (_, index) =>
    check(from + 3 + index * stepMs, from + 4 + index * stepMs),
  );
}

function limitDenials(count: number, from: number, to: number): CheckRecord[] {
  return checks(count, from, to).map((one) => ({ ...one, verdict: 'denied', reason: 'rate_limited' }));
}

function state(begin: number, shown: StateRecord['state']): StateRecord {
  return { type: 'state', replica: 'replica-c', key: 'key', begin, end: begin + 5, state: shown };
}

function fault(begin: number, end: number): HistoryRecord {
  return { type: 'fault', what: 'a primary was killed', begin, end };
}
