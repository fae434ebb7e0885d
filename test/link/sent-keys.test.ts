import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sendKey, sendKeyPage, takeKey, takeKeyPage } from '../../src/link/sent-keys.ts';
import { createHold, keyRecord } from '../records.ts';
import { anyKeyRecord } from '../store-contract/setting.ts';

const members = [
  ...([
    'id',
    'name',
    'scheme',
    'environment',
    'owner',
    'permissions',
    'roles',
    'ipAllowlist',
    'plan',
  ] as const),
  ...(['rateLimits', 'labels', 'expiresAt', 'disabledAt', 'revokedAt', 'spender', 'version'] as const),
  'principals' as const,
];

it('has a worker hold of a key what one that read the record itself would', () => {
  const held = createHold();
  fc.assert(
    fc.property(anyKeyRecord, (record) => {
      const [own, sent] = [held(record), held(takeKey(sendKey(record)))];
      for (const member of members) expect(sent[member]).toEqual(own[member]);
      // Lists and labels of equal keys are held once, however the keys came.
      expect(sent.permissions).toBe(own.permissions);
      expect(sent.labels).toBe(own.labels);
    }),
  );
});

it('has a page of keys arrive as it was sent, whatever they are called', () => {
  fc.assert(
    fc.property(fc.array(anyKeyRecord, { maxLength: 4 }), (records) => {
      const keys = records.map((record) => ({ digest: record.digest, key: record }));
      const page = { keys, unreadable: records.map(({ digest }) => digest), next: records[0]?.id ?? null };
      const { keys: taken, ...others } = takeKeyPage(sendKeyPage(page));
      expect(others).toEqual({ unreadable: page.unreadable, next: page.next });
      expect(taken.map(({ digest }) => digest)).toEqual(keys.map(({ digest }) => digest));
      expect(taken.map(({ key }) => key)).toEqual(records.map((record) => takeKey(sendKey(record))));
    }),
  );
});

it('says once in a page what keys have in common, so that they have the same lists where they arrive', () => {
  const alike = { permissions: ['read', 'write'], labels: { team: 'payments' } };
  const records = [
    keyRecord(alike),
    keyRecord({ permissions: ['read'] }),
    keyRecord(alike),
    keyRecord(alike),
  ];
  const keys = records.map((record) => ({ digest: record.digest, key: record }));
  const sent = sendKeyPage({ keys, unreadable: [], next: null });
  expect(sent.keys.split('payments')).toHaveLength(2);
  const [first, , third, fourth] = takeKeyPage(sent).keys.map(({ key }) => key);
  expect([third?.labels, fourth?.permissions]).toEqual([alike.labels, alike.permissions]);
  expect(third?.labels).toBe(first?.labels);
  expect(fourth?.permissions).toBe(first?.permissions);
});
