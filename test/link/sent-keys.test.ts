import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createHeldKeys } from '../../src/cache/held-key.ts';
import { sendKey, takeKey } from '../../src/link/sent-keys.ts';
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
  const held = createHeldKeys();
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
