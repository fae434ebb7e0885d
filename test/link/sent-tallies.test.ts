import { describe, expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import {
  createSentUsage,
  type SentTallies,
  sendPlain,
  sendTallies,
  takeTallies,
} from '../../src/link/sent-tallies.ts';
import { createWorkerStore } from '../../src/link/worker-store.ts';
import { createPlainColumns } from '../../src/store/usage/plain-tallies.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';

const hourMs = 3_600_000;
const noon = Date.UTC(2030, 0, 1, 12);

describe('tallies that are sent to the service', () => {
  it('arrive as they were, whatever they hold', () => {
    const tallies = [
      tally({}),
      tally({ addresses: ['2001:db8::1'], allowed: 0xffff_ffff, lastUsedAt: noon + hourMs - 1 }),
      tally({ addresses: [] }),
      tally({ addresses: ['192.0.2.1', '192.0.2.2'] }),
      tally({ allowed: 0, lastUsedAt: null, denied: { expired: 2 } }),
      tally({ allowed: 0, lastUsedAt: null, addresses: [], denied: { permission_denied: 1 } }),
      tally({ allowed: 0, lastUsedAt: null, denied: { expired: 2, rate_limited: 1 } }),
      tally({ allowed: 0, lastUsedAt: null, denied: { expired: 2 }, observed: { unknown: 1 } }),
      tally({ allowed: 0, lastUsedAt: null, denied: { expired: 2 }, hour: noon + hourMs }),
      tally({ denied: { rate_limited: 1 } }),
      tally({ observed: { unknown: 1 } }),
      tally({ hour: noon + hourMs, lastUsedAt: noon + hourMs }),
      tally({ lastUsedAt: noon - 1 }),
      tally({ lastUsedAt: noon + hourMs }),
      tally({ allowed: 2 ** 40 }),
      tally({ about }),
      tally({ about: { ...about, owner: null } }),
      tally({ about }),
      tally({ allowed: 0, lastUsedAt: null, denied: { expired: 2 }, about: { ...about, plan: null } }),
    ];
    for (const sent of [tallies, tallies.slice(2), tallies.slice(2, 3), tallies.slice(0, 2), []]) {
      const taken = takeTallies(structuredClone(sendTallies(sent)));
      expect(taken).toHaveLength(sent.length);
      expect(taken).toEqual(expect.arrayContaining(sent));
    }
  });

  it('keep the order of those that are alike', () => {
    const tallies = Array.from({ length: 500 }, () => tally({}));
    expect(takeTallies(structuredClone(sendTallies(tallies)))).toEqual(tallies);
  });

  it('of keys that were allowed arrive with whatever owners, plans and addresses they had', () => {
    const columns = createPlainColumns(noon, 700);
    const tallies = Array.from({ length: 650 }, (_, at) =>
      tally({
        ...{ allowed: at + 1, lastUsedAt: noon + at, addresses: at % 3 === 0 ? [] : [`192.0.2.${at % 7}`] },
        about:
          at % 11 === 0
            ? undefined
            : { ...about, owner: [null, 'a b', ''][at % 3] ?? null, plan: `p${at % 5}` },
      }),
    );
    for (const { key, allowed: count, lastUsedAt, addresses, about } of tallies) {
      const lastUsed = Number(lastUsedAt) - noon;
      columns.add(key, { count, reason: '', lastUsed, address: addresses[0] ?? '' }, about);
    }
    expect(takeTallies(structuredClone(sendPlain(columns.tallies())))).toEqual(tallies);
  });

  it('arrive with one object for what several keys in a row were, and another where one differs', () => {
    const columns = createPlainColumns(noon, 4);
    for (const owner of ['acme', 'acme', 'other', 'acme'])
      columns.add(tally({}).key, { count: 1, reason: '', lastUsed: 1, address: '' }, { ...about, owner });
    const [one, same, other, again] = takeTallies(structuredClone(sendPlain(columns.tallies())));
    expect(same?.about).toBe(one?.about);
    expect(other?.about).toEqual({ ...about, owner: 'other' });
    expect(again?.about).toEqual(one?.about);
  });

  it('of keys that were allowed name each address and owner once, in whatever order they come', () => {
    const columns = createPlainColumns(noon, 100);
    for (let at = 0; at < 100; at++) {
      const counts = { count: 1, reason: '', lastUsed: at, address: `192.0.2.${at % 8}` } as const;
      columns.add(tally({}).key, counts, { ...about, owner: `acme-${at % 3}` });
    }
    const { addresses, owners } = columns.tallies();
    expect([addresses.known.length, owners.known.length]).toEqual([8, 3]);
  });

  it('are no objects one by one, where keys were denied for one reason', () => {
    const tallies = Array.from({ length: 500 }, () =>
      tally({ allowed: 0, lastUsedAt: null, denied: { permission_denied: 1 } }),
    );
    const sent = sendTallies(tallies);
    expect(sent.others).toEqual([]);
    expect(takeTallies(structuredClone(sent))).toEqual(tallies);
  });
});

describe('many tallies of one write', () => {
  const several = (count: number) =>
    Array.from({ length: count }, () => tally({ addresses: ['192.0.2.1', '192.0.2.2'] }));

  /** A worker's store, a service that keeps what it writes, and what went over the link. */
  function link({ failsAt = -1 } = {}) {
    const writes: (readonly UsageTally[])[] = [];
    const sent: SentTallies[] = [];
    const usage = createSentUsage(async (tallies) => void writes.push(tallies));
    const ask = async (name: 'holdUsage' | 'recordUsage', tallies: SentTallies, held: number) => {
      sent.push(tallies);
      if (sent.length === failsAt) throw new Error('lost on the way');
      await usage[name](structuredClone(tallies), held);
    };
    const store = createWorkerStore({
      ...{ service: { ask: ask as never }, workers: 1, stalenessMaxMs: 15_000, monotonic: () => 0 },
    });
    return { store, writes, sent };
  }

  it('are sent in messages that take no more than a part of a millisecond, and are one write', async () => {
    const { store, writes, sent } = link();
    const tallies = several(5_000);
    await store.recordUsage(tallies);
    expect(writes).toEqual([tallies]);
    expect(Math.max(...sent.map(({ others }) => others.length))).toBeLessThanOrEqual(250);
  });

  it('are all sent again where a part was lost, and none is written twice', async () => {
    const { store, writes } = link({ failsAt: 2 });
    const tallies = several(600);
    await expect(store.recordUsage(tallies)).rejects.toThrow('lost on the way');
    await store.recordUsage(tallies);
    expect(writes).toEqual([tallies]);
  });

  it('are not written where a part of them is missing', async () => {
    const usage = createSentUsage(async () => {});
    usage.holdUsage(sendTallies(several(2)), 0);
    await expect(usage.recordUsage(sendTallies(several(2)), 4)).rejects.toThrow('is missing');
  });
});

const about = { owner: 'a b', plan: 'free', scheme: 'postern', environment: 'live' };
let made = 0;

function tally(given: Partial<UsageTally>): UsageTally {
  const key = `key_${String(made++).padStart(26, '0')}` as KeyId;
  return {
    ...{ key, hour: noon, allowed: 3, denied: {}, observed: {}, lastUsedAt: noon + 5 },
    ...{ addresses: ['192.0.2.1'], ...given },
  };
}
