import { expect, it } from 'vitest';
import type { AuditEvent, Key, Owner } from '../../../src/console/api-answers.ts';
import { html, render } from '../../../src/console/markup/markup.ts';
import { seenAddresses } from '../../../src/console/pages/key/addresses.ts';
import { type Known, standingMarkup, standingOf } from '../../../src/console/pages/key/standing.ts';

const now = Date.parse('2026-11-28T13:39:05Z');
const key: Key = {
  ...{ id: `key_${'0'.repeat(26)}`, name: 'CI 6', prefix: 'ak_live_', permissions: [], scheme: 'postern' },
  ...{ created_at: '2026-01-01T00:00:00Z', last_used_at: '2026-11-28T12:00:00Z', expires_at: null },
  ...{ environment: 'live', owner: 'acme', last4: 'x9Kq', ip_allowlist: [], plan: null, labels: {} },
  ...{ state: 'active', updated_at: '2026-01-01T00:00:00Z', revoked_at: null, rotated_from: null, etag: '1' },
  ...{ roles: [], rate_limits: [], principals: [], external_id: null, created_by: null },
  ...{ replaced_by: null, blocked: null },
};
const owner: Owner = {
  ...{ id: 'acme', plan: null, active_until: null, suspended: true, active: false, name: 'Acme Inc' },
  ...{
    created_at: '',
    updated_at: '',
    etag: '1',
    contact: null,
    labels: {},
    billing_anchor: null,
    keys_max: null,
  },
};
const event: AuditEvent = {
  ...{ id: 'evt_0000000000000001', at: '2026-11-28T10:00:00.000Z', actor: 'ops', action: 'DisableKey' },
  ...{ target: key.id, outcome: 'ok', address: null, request_id: null, before: {}, after: {}, error: null },
};
const successor = { id: `key_${'0'.repeat(25)}7`, name: 'CI 7' };

function said(known: Partial<Known>): string {
  const nothing = { owner: null, successor: null, leak: null, ending: null, limits: [] };
  return render(html`<div>${standingMarkup(standingOf({ key, now, ...nothing, ...known }))}</div>`)
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll(/\s+/g, ' ');
}

it.each<[string, Partial<Known>, string]>([
  ['one that passes', {}, 'Active: it does not expire. Last used on 2026-11-28 12:00:00 UTC.'],
  [
    'one that ends soon, never used',
    { key: { ...key, last_used_at: null, expires_at: '2026-12-01T00:00:00Z' } },
    'Active: it expires on 2026-12-01 00:00:00 UTC. It was never used.',
  ],
  [
    'an owner that is suspended',
    { key: { ...key, blocked: 'owner_inactive' }, owner },
    'Blocked: its owner Acme Inc is suspended.',
  ],
  [
    'an owner whose subscription ended',
    {
      key: { ...key, blocked: 'owner_inactive' },
      owner: { ...owner, suspended: false, active_until: '2026-11-03T00:00:00Z' },
    },
    'Blocked: the subscription of its owner Acme Inc ended on 2026-11-03 00:00:00 UTC.',
  ],
  [
    'an owner that may not be seen',
    { key: { ...key, blocked: 'owner_inactive' } },
    'Blocked: its owner acme is not active.',
  ],
  [
    'one in its grace',
    { key: { ...key, expires_at: '2026-11-28T18:00:00Z' }, successor },
    'Replaced: by CI 7, works until 2026-11-28 18:00:00 UTC.',
  ],
  [
    'one whose grace is over',
    { key: { ...key, state: 'expired', expires_at: '2026-11-27T18:00:00Z' }, successor },
    'Replaced: by CI 7; it worked until 2026-11-27 18:00:00 UTC.',
  ],
  [
    'one that expired',
    { key: { ...key, state: 'expired', expires_at: '2026-11-27T18:00:00Z' } },
    'Expired: on 2026-11-27 18:00:00 UTC.',
  ],
  [
    'one that is disabled',
    { key: { ...key, state: 'disabled' }, ending: event },
    'Disabled: No request with it passes. Since 2026-11-28 10:00:00 UTC, by ops.',
  ],
  [
    'one that was revoked, on the day of it and not of today',
    { key: { ...key, state: 'revoked', revoked_at: '2026-11-26T09:00:00Z' }, ending: event },
    'Revoked: on 2026-11-26 09:00:00 UTC by ops, for good.',
  ],
  [
    'one that leaked',
    {
      key: { ...key, state: 'revoked', revoked_at: '2026-11-28T10:00:01Z' },
      leak: { ...event, after: { leaked: { source: 'github:content', url: 'https://example.com/x' } } },
    },
    'Leaked: found by GitHub on 2026-11-28 10:00:00 UTC, at https://example.com/x. It was revoked on 2026-11-28 10:00:01 UTC.',
  ],
  [
    'one whose limit is spent',
    {
      limits: [
        {
          name: 'monthly',
          limit: 10,
          used: 12,
          remaining: 0,
          resets_at: '2026-12-01T00:00:00Z',
          shared_by: 'key',
        },
      ],
    },
    'Limited: its limit monthly is spent and resets on 2026-12-01 00:00:00 UTC.',
  ],
])('says in one sentence how a key stands: %s', (_, known, sentence) => {
  expect(said(known)).toBe(sentence);
});

it('counts the addresses of the request log, the most first, and keeps those that only the usage knows', () => {
  const request = (address: string | null, count: number, at: string) => ({
    ...{ at, count, address, key_id: key.id, method: 'GET', host: null, path: '/' },
    ...{ decision: 'allow' as const, reason: null, status: 200 },
  });
  const log = [
    request('192.0.2.1', 1, '2026-11-28T13:00:00Z'),
    request('192.0.2.2', 5, '2026-11-28T12:59:00Z'),
    request(null, 9, '2026-11-28T12:58:00Z'),
    request('192.0.2.1', 2, '2026-11-28T12:57:00Z'),
  ];
  expect(seenAddresses(['192.0.2.1', '198.51.100.9'], log)).toEqual([
    { address: '192.0.2.2', requests: 5, lastSeen: '2026-11-28T12:59:00Z' },
    { address: '192.0.2.1', requests: 3, lastSeen: '2026-11-28T13:00:00Z' },
    { address: '198.51.100.9', requests: null, lastSeen: null },
  ]);
});
