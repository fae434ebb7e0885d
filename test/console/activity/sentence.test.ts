import { expect, it } from 'vitest';
import { auditActions } from '../../../src/admin/audit-actions.ts';
import type { AuditEvent } from '../../../src/console/api-answers.ts';
import { html, render } from '../../../src/console/markup/markup.ts';
import { actionMeant, acts, titleOf } from '../../../src/console/pages/activity/acts.ts';
import { changesOf } from '../../../src/console/pages/activity/changes.ts';
import { sentenceOf } from '../../../src/console/pages/activity/sentence.ts';

const key = `key_${'0'.repeat(25)}1`;
const other = `key_${'0'.repeat(25)}2`;
const event: AuditEvent = {
  ...{ id: 'evt_0000000000000001', at: '2026-11-28T13:39:05.000Z', actor: key, action: 'DisableKey' },
  ...{ target: other, outcome: 'ok', address: null, request_id: null, before: {}, after: {}, error: null },
  ...{ actor_name: 'Ops key', target_name: 'CI 6' },
};

/** As a reader sees it. */
function said(change: Partial<AuditEvent>): string {
  return render(html`<p>${sentenceOf({ ...event, ...change })}</p>`)
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll(/\s+/g, ' ');
}

it('has a sentence for every action that an entry may have, done and refused, with no gap left in it', () => {
  expect(Object.keys(acts).toSorted()).toEqual([...auditActions].toSorted());
  for (const action of auditActions) {
    for (const target of [other, null]) {
      for (const error of [null, 'PERMISSION_DENIED', 'UNAUTHENTICATED', 'ABORTED', 'ELSE']) {
        const outcome = error === null ? 'ok' : 'refused';
        const text = said({
          action,
          target,
          target_name: target && 'CI 6',
          error,
          outcome,
          before: null,
          after: null,
        });

        expect(text.length, `${action} ${error}`).toBeGreaterThan(8);
        expect(text, `${action} ${error}`).not.toMatch(
          /[{}]|undefined|null|NaN|\[object| {2}|[A-Z]\w+Keys?\b/,
        );
      }
    }
  }
});

it('names who did what with which key, with links to both', () => {
  expect(said({})).toBe('Ops key disabled CI 6');
  const markup = render(html`<p>${sentenceOf(event)}</p>`);
  expect(markup).toContain(`<a class="name" href="/console/keys/${key}" title="${key}">Ops key</a>`);
  expect(markup).toContain(`<a class="name" href="/console/keys/${other}" title="${other}">CI 6</a>`);
});

it('tells of a change what a reader wants to know of it', () => {
  for (const [change, text] of [
    [
      { action: 'RotateKey', after: { made: { id: key, name: 'CI 7' } } },
      'Ops key rotated CI 6: its successor is CI 7',
    ],
    [{ action: 'ImportKeys', after: { imported: 12_000 } }, 'Ops key imported 12,000 keys'],
    [{ action: 'ImportKeys', after: { missing: 1 } }, 'Of an import by Ops key 1 key did not go in'],
    [
      { action: 'ChargeKey', after: { units: -1_200, limit: 'monthly' } },
      'Ops key gave back 1,200 units of the limit monthly to CI 6',
    ],
    [
      {
        ...{ action: 'ReportLeakedKeys', actor: 'github-secret-scanning', actor_name: null },
        ...{ before: { state: 'active' }, after: { leaked: { url: null, source: 'github:content' } } },
      },
      'GitHub reported CI 6 as leaked, found by GitHub: it is revoked',
    ],
    [
      { action: 'PutOwner', target: 'acme', target_name: null, before: null, after: {} },
      'Ops key added the owner acme',
    ],
    [
      {
        action: 'UpdateOwner',
        target: 'acme',
        target_name: 'Acme Inc',
        before: { suspended: false },
        after: { suspended: true },
      },
      'Ops key suspended the owner Acme Inc',
    ],
    [{ action: 'PutRole', target: 'ci', target_name: null, before: null }, 'Ops key created the role ci'],
    [
      {
        actor: 'oidc:7',
        actor_name: 'ann@example.com',
        action: 'SignIn',
        target: null,
        before: null,
        after: null,
      },
      'ann@example.com signed in to the console',
    ],
    [{ actor: 'POSTERN_ADMIN_KEY', actor_name: null }, 'The admin key of the settings disabled CI 6'],
    [{ actor: 'portal:ps_1', actor_name: null }, 'A customer in a portal session disabled CI 6'],
    [
      { actor: null, actor_name: null, action: 'NewAddress', before: null, after: { address: '192.0.2.7' } },
      'CI 6 was used from an address that is new to it, 192.0.2.7',
    ],
    [
      {
        actor: null,
        action: 'NewAddress',
        target: null,
        target_name: null,
        before: null,
        after: { keys: 40 },
      },
      '40 keys were used from new addresses',
    ],
    [
      { actor: null, action: 'UnusualVolume', before: null, after: { requests: 12_000, most_before: 90 } },
      'CI 6 had 12,000 requests in an hour that had at most 90 before',
    ],
    [
      { actor: null, action: 'LimitExceeded', before: null, after: { limit: 'monthly' } },
      'CI 6 has spent its limit monthly',
    ],
    [
      {
        action: 'RefusedCalls',
        outcome: 'refused',
        target: null,
        after: { calls_of_known_callers: 1, calls_of_unknown_callers: 12_345 },
      },
      '1 call of known callers and 12,345 calls of unknown ones were refused, too many to list',
    ],
    [{ action: 'FreezeKey' }, 'Ops key called freeze key on CI 6'],
  ] as const) {
    expect(said(change)).toBe(text);
  }
});

it('says of what was refused who wanted it, and why it was not done', () => {
  const refused = { outcome: 'refused', before: null, after: null };
  expect(said({ ...refused, error: 'PERMISSION_DENIED' })).toBe('Ops key was not allowed to disable CI 6');
  expect(said({ ...refused, error: 'UNAUTHENTICATED', actor: null })).toBe(
    'Somebody without a valid admin key tried to disable CI 6',
  );
  expect(said({ ...refused, error: 'ABORTED' })).toBe(
    'Ops key could not disable CI 6: somebody else had changed it',
  );
});

it('finds an action by its name and by words, in any case', () => {
  for (const [text, action] of [
    ['DisableKey', 'DisableKey'],
    ['disable key', 'DisableKey'],
    ['Disabled', 'DisableKey'],
    ['disable a key', 'DisableKey'],
    ['revoke', 'RevokeKey'],
    ['sign in to the console', 'SignIn'],
    ['freeze', null],
  ] as const) {
    expect([text, actionMeant(text)]).toEqual([text, action]);
  }
  const titles = Object.keys(acts).map(titleOf);
  expect(new Set(titles).size).toBe(titles.length);
  expect(titles).toContain('Disable a key');
});

it('shows of a change the fields that differ, of lists what came and went', () => {
  const limit = (limit: number) => ({ name: 'monthly', limit, period: 'month', shared_by: 'key' });
  const before = {
    ...{
      id: 'x',
      etag: '1',
      updated_at: 'a',
      name: 'CI',
      permissions: ['a', 'b'],
      plan: null,
      suspended: false,
    },
    ...{ rate_limits: [limit(1)], labels: { team: 'a', zone: 'x' }, state: 'active' },
  };
  const after = {
    ...{
      ...before,
      etag: '2',
      updated_at: 'b',
      name: 'CI 6',
      permissions: ['b', 'c'],
      plan: 'pro',
      suspended: true,
    },
    ...{ rate_limits: [limit(2)], labels: { team: 'b', zone: 'x' } },
  };

  expect(changesOf(before, after)).toEqual([
    { label: 'Name', removed: ['CI'], added: ['CI 6'] },
    { label: 'Permissions', removed: ['a'], added: ['c'] },
    { label: 'Plan', removed: [], added: ['pro'] },
    { label: 'Suspended', removed: ['no'], added: ['yes'] },
    { label: 'Limits', removed: ['monthly: 1 each month'], added: ['monthly: 2 each month'] },
    { label: 'Labels', removed: ['team=a'], added: ['team=b'] },
  ]);
  expect(changesOf(before, { rotated: { ...before, name: 'old' }, made: {} })).toEqual([
    { label: 'Name', removed: ['CI'], added: ['old'] },
  ]);
  expect(changesOf(null, null)).toEqual([]);
  expect(changesOf(null, { name: 'new', plan: null, labels: {} })).toEqual([
    { label: 'Name', removed: [], added: ['new'] },
  ]);
});
