import { describe, expect, it } from 'vitest';
import { createFailureNotices, type FailureNoticesOptions } from '../../src/events/failure-notices.ts';
import type { JournalDraft } from '../../src/journal/journal.ts';
import { networkOf } from '../../src/net/caller-network.ts';
import { type Reason, reasons } from '../../src/schemes/answer.ts';

const noon = Date.UTC(2030, 0, 1, 12);

describe('many failures from one address', () => {
  it('are told when they are many within the window, and not when they are spread', async () => {
    const { fail, told } = setUp({ failures: 3 });
    for (const at of [0, 30_000, 60_000, 90_000, 120_000]) fail('192.0.2.1', noon + at);
    expect(await told()).toEqual([]);
    for (const at of [130_000, 140_000, 179_999]) fail('192.0.2.1', noon + at);
    expect(await told()).toEqual(['192.0.2.1']);
  });

  it('are of those reasons that one who has a key and uses it rightly never meets', async () => {
    const counted: Reason[] = [];
    for (const reason of reasons) {
      const { failures, told } = setUp({ failures: 1 });
      failures.count(reason, '192.0.2.1', noon);
      if ((await told()).length > 0) counted.push(reason);
    }
    const left = reasons.filter((reason) => !counted.includes(reason));
    expect(left).toEqual([
      ...['cleartext', 'missing', 'owner_inactive', 'permission_denied', 'rate_limited', 'unavailable'],
    ]);
  });

  it('are told once an hour however many windows are full', async () => {
    const { fail, told } = setUp({ failures: 2 });
    for (let minute = 0; minute < 120; minute++) {
      for (const at of [0, 1, 2]) fail('192.0.2.1', noon + minute * 60_000 + at);
    }
    expect(await told()).toEqual(['192.0.2.1', '192.0.2.1']);
  });

  it('count an IPv6 address by its /64, and an IPv4 address as such however it is written', async () => {
    const { fail, told } = setUp({ failures: 2 });
    fail('2001:db8::1', noon);
    fail('2001:DB8:0:0:ffff::2', noon);
    fail('2001:db8:0:1::1', noon);
    fail('::ffff:192.0.2.1', noon);
    fail('192.0.2.1', noon);
    expect(await told()).toEqual(['2001:db8:0:0::/64', '192.0.2.1']);
  });

  it('are counted of so many addresses at once, whose failures are the latest', async () => {
    const { fail, told } = setUp({ failures: 2, addressesMax: 2 });
    for (const last of [1, 2, 3, 1, 3]) fail(`192.0.2.${last}`, noon);
    expect(await told()).toEqual(['192.0.2.3']);
  });

  it('are told one by one up to a number in a minute, and of more one tells at its end', async () => {
    const { failures, fail, told, clock, written } = setUp({ failures: 1, singlyMax: 2 });
    for (let last = 1; last <= 20; last++) fail(`192.0.2.${last}`, noon);
    expect(await told()).toEqual(['192.0.2.1', '192.0.2.2']);
    clock.now = noon + 60_000;
    await failures.flush();
    const sample = Array.from({ length: 10 }, (_, at) => `192.0.2.${at + 3}`);
    expect(written.at(-1)).toMatchObject({
      ...{ action: 'ManyFailures', target: null, address: null },
      after: { addresses: 18, since: '2030-01-01T12:00:00Z', sample },
    });
  });

  it('wait until they can be written, in a bounded number', async () => {
    const { fail, told, store } = setUp({ failures: 1, waitingMax: 2 });
    store.isAway = true;
    fail('192.0.2.1', noon);
    await expect(told()).rejects.toThrow('away');
    for (const last of [2, 3]) fail(`192.0.2.${last}`, noon);
    store.isAway = false;
    expect(await told()).toEqual(['192.0.2.1', '192.0.2.2']);
  });
});

it('the network of what is no address is none', () => {
  const odd = ['', 'localhost', '192.0.2', '192.0.2.1/24', '2001:db8::1/64', 'fe80::1%eth0', '1:2:3', '::g'];
  expect(odd.map(networkOf)).toEqual(odd.map(() => null));
  expect(networkOf('::')).toBe('0:0:0:0::/64');
});

function setUp(given: Partial<FailureNoticesOptions>) {
  const written: JournalDraft[] = [];
  const clock = { now: noon };
  const store = {
    isAway: false,
    async appendJournal(drafts: readonly JournalDraft[]) {
      if (store.isAway) throw new Error('away');
      written.push(...drafts);
    },
  };
  const failures = createFailureNotices(
    { store, now: () => clock.now },
    { failures: 3, windowMs: 60_000, ...given },
  );
  return {
    failures,
    store,
    clock,
    written,
    fail: (address: string, at: number) => failures.count('unknown', address, at),
    async told() {
      await failures.flush();
      return written.map(({ after }) => Object(after).address);
    },
  };
}
