import { createHmac } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  createEventDelivery,
  type EventDeliveryOptions,
  type FailedDelivery,
} from '../../src/events/event-delivery.ts';
import type { EventType } from '../../src/events/events.ts';
import { createJournalTail, type JournalTail, waking } from '../../src/events/journal-tail.ts';
import { createWebhook, type Send } from '../../src/events/webhook.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { freePort } from '../real/port.ts';
import { until } from '../real/until.ts';
import { journalDraft } from '../store-contract/setting.ts';
import { type Answer, startReceiver, status } from '../webhook-receiver.ts';

const secrets = [Buffer.alloc(32, 1), Buffer.alloc(24, 2)];

describe('the webhook', () => {
  it('is sent what the Standard Webhooks have a receiver verify, by each secret', async () => {
    const { store, deliver } = await setUp();
    const { url, received } = await startReceiver();
    await begun(store, deliver(createWebhook({ fetch, now: () => 1_893_456_000_999 }, { url, secrets })));
    await store.appendJournal([
      journalDraft({ action: 'RevokeKey', target: 'key_1', owner: 'acme', before: {} }),
    ]);
    await until('a message', () => received.length === 1);

    const [{ headers, text, json } = { headers: {}, text: '', json: {} }] = received;
    expect(headers).toMatchObject({
      ...{ 'content-type': 'application/json', 'webhook-id': 'evt_0000000000000001' },
      ...{ 'webhook-timestamp': '1893456000', 'user-agent': expect.stringMatching(/^postern\//) },
    });
    const signed = secrets.map((secret) => {
      const mac = createHmac('sha256', secret).update(`evt_0000000000000001.1893456000.${text}`);
      return `v1,${mac.digest('base64')}`;
    });
    expect(headers['webhook-signature']).toBe(signed.join(' '));
    expect(Object.keys(json)).toEqual(['type', 'timestamp', 'data']);
    expect(json).toMatchObject({
      ...{ type: 'key.revoked', timestamp: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/) },
      data: { id: 'evt_0000000000000001', target: 'key_1', owner: 'acme', actor: 'key_admin' },
    });
  });

  it('loses nothing and keeps the order while its receiver is down, slow, refuses and redirects', async () => {
    const { store, deliver, failed, recovered } = await setUp();
    const elsewhere = await startReceiver();
    const first = await startReceiver(await freePort());
    const { url, port } = first;
    const send = createWebhook({ fetch, now: Date.now }, { url, secrets }, { answerMsMax: 4_000 });
    await first.close();
    // What is delivered late, and not recorded in time, is delivered again.
    await begun(store, deliver(send, { leaseMs: 24_000 }), 24_000);
    await store.appendJournal(names(5));
    await until('tries', () => failed.length >= 2);

    const { received, answers } = await startReceiver(port);
    const redirect = status(307, { location: elsewhere.url.href });
    const never: Answer = () => {};
    const cut: Answer = (response) => response.destroy();
    answers.push(never, status(500), status(204), redirect, cut, status(410), status(200));
    await until('all', () => received.length === 5 + 5);

    expect(received.map(({ json }) => json.data.target)).toEqual([
      ...['1', '1', '1', '2', '2', '2', '2', '3', '4', '5'],
    ]);
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(5);
    expect(elsewhere.received).toEqual([]);
    const whys = failed.map(({ why }) => why);
    expect(whys[0]).toBe('ECONNREFUSED');
    expect(whys.slice(-5)).toEqual([
      ...['no answer within 4 s', 'it answered 500', 'it answered 307: redirects are not followed'],
      ...[expect.any(String), expect.stringContaining('it answered 410: it wants no more events')],
    ]);
    expect(whys.join()).not.toContain('hook');
    expect(failed[0]).toMatchObject({ attempt: 1, entriesBehind: 4 });
    expect(recovered).toEqual(['evt_0000000000000001', 'evt_0000000000000002']);
  });

  it('waits longer each time, and as long as it is asked to, within a bound', async () => {
    const { store, deliver, failed } = await setUp();
    const { url, answers, received } = await startReceiver();
    const date = new Date(7_000).toUTCString();
    answers.push(status(500), status(503), status(429, { 'retry-after': '1' }));
    answers.push(status(503, { 'retry-after': date }), status(503, { 'retry-after': 'soon' }));
    const send = createWebhook({ fetch, now: () => 5_000 }, { url, secrets });
    await begun(
      store,
      deliver(send, { retryMsFirst: 2, retryMsMax: 40 }, () => 1),
    );
    await store.appendJournal(names(1));
    await until('all', () => received.length === 6);
    expect(failed.map(({ retryMs }) => retryMs)).toEqual([2, 4, 40, 40, 32]);
    expect(failed.map(({ retryAfterMs }) => retryAfterMs)).toEqual([0, 0, 1_000, 2_000, 0]);
  });
});

describe('a delivery', () => {
  it('begins with what happens after it was first switched on, and goes on from there at each start', async () => {
    const { store, deliver } = await setUp();
    await store.appendJournal(names(2));
    const seen: string[] = [];
    const first = deliver(collect(seen));
    await begun(store, first);
    await store.appendJournal([named('3')]);
    await until('one', () => seen.length === 1);
    await first.stop();
    await store.appendJournal([named('4')]);
    deliver(collect(seen)).start();
    await until('two', () => seen.length === 2);
    expect(seen).toEqual(['3', '4']);
  });

  it('does not lose the very first event when it ends before that was taken', async () => {
    const { store, deliver, failed } = await setUp();
    const first = deliver(async () => ({ why: 'no', retryAfterMs: 0 }));
    await begun(store, first);
    await store.appendJournal(names(1));
    await until('a try', () => failed.length > 0);
    await first.stop();
    const seen: string[] = [];
    deliver(collect(seen)).start();
    await until('it', () => seen.length === 1);
  });

  it('passes over other types, refused calls and reads, and need not see them again', async () => {
    const { store, deliver } = await setUp();
    const seen: string[] = [];
    const types = new Set<EventType>(['key.revoked']);
    const first = deliver(collect(seen), { types });
    await begun(store, first);
    const refused = { outcome: 'refused', error: 'NOT_FOUND', action: 'RevokeKey' } as const;
    await store.appendJournal([named('1'), journalDraft(refused), named('3', 'RevokeKey'), named('4')]);
    await until('the one', () => seen.length === 1);
    await first.stop();
    const claimed = await until(
      'the duty',
      async () => (await store.claimDuty('test', 'me', 1)) ?? undefined,
    );
    expect(seen).toEqual(['3']);
    expect(claimed.progress).toBeGreaterThanOrEqual(4);
  });

  it('records its place once for a storm of events, and lets others have the thread between them', async () => {
    const { store, tail, deliver } = await setUp();
    let records = 0;
    const counting: Store = {
      ...store,
      recordDuty: async (...given) => {
        records++;
        return store.recordDuty(...given);
      },
    };
    let turn = 0;
    const inTurn = new Map<number, number>();
    const collecting: Send = async () => {
      inTurn.set(turn, (inTurn.get(turn) ?? 0) + 1);
      return null;
    };
    await begun(
      store,
      deliver(collecting, { recordMs: 600_000 }, () => 0, { store: counting, tail }),
    );
    records = 0;
    const look = () => {
      turn++;
      if (sum(inTurn) < 1_000) setImmediate(look);
    };
    setImmediate(look);
    await store.appendJournal(names(1_000));
    await until('all', () => sum(inTurn) === 1_000);
    expect(records).toBeLessThanOrEqual(6);
    expect(Math.max(...inTurn.values())).toBeLessThanOrEqual(100);
  });

  it('writes its place seldom while events come one by one, and once more when it is stopped', async () => {
    const { store, tail, deliver } = await setUp();
    let records = 0;
    const counting: Store = {
      ...store,
      recordDuty: async (...given) => {
        records++;
        return store.recordDuty(...given);
      },
    };
    const seen: (string | null)[] = [];
    const collecting: Send = async ({ target }) => {
      seen.push(target);
      return null;
    };
    const delivery = deliver(collecting, { recordMs: 600_000 }, () => 0, { store: counting, tail });
    await begun(store, delivery);
    records = 0;
    for (let at = 1; at <= 20; at++) {
      await store.appendJournal([named(String(at))]);
      await until('it is taken', () => seen.length === at);
    }
    expect(records).toBe(0);
    await delivery.stop();
    expect(records).toBe(1);
    expect(await store.claimDuty('test', 'one', 1)).toEqual({ progress: 21 });
  });

  it('is done by one at a time, and taken over from one that dies in the middle', async () => {
    const { store, tail, deliver } = await setUp();
    let isDead = false;
    const dying: Store = {
      ...store,
      claimDuty: async (...given) => (isDead ? null : store.claimDuty(...given)),
      recordDuty: async (...given) => !isDead && store.recordDuty(...given),
    };
    const seen: [string, string][] = [];
    const collecting =
      (by: string): Send =>
      async ({ target }) => {
        seen.push([by, target ?? '']);
        return null;
      };
    const one = deliver(collecting('one'), {}, () => 0, { store: dying, tail, holder: 'one' });
    await begun(store, one);
    deliver(collecting('two'), {}, () => 0, { store, tail, holder: 'two' }).start();
    await store.appendJournal(names(3));
    await until('three', () => seen.length === 3);
    isDead = true;
    await store.appendJournal([named('4'), named('5')]);
    await until('the rest', () => seen.some(([by, name]) => by === 'two' && name === '5'));
    const byTwo = seen.filter(([by]) => by === 'two').map(([, name]) => name);
    expect(byTwo.slice(-2)).toEqual(['4', '5']);
    expect(new Set(seen.map(([, name]) => name)).size).toBe(5);
  });

  it('breaks off a try when it is stopped, and leaves the duty to the next at once', async () => {
    const { store, deliver } = await setUp();
    const { url, answers, received } = await startReceiver();
    answers.push(() => {});
    const first = deliver(createWebhook({ fetch, now: Date.now }, { url, secrets }), { leaseMs: 600_000 });
    await begun(store, first);
    await store.appendJournal(names(1));
    await until('a try', () => received.length === 1);
    await first.stop();
    const seen: string[] = [];
    deliver(collect(seen), {}, () => 0, { holder: 'another' }).start();
    await until('it', () => seen.length === 1);
  });

  it('lives through an outage of the store', async () => {
    const { store, tail, deliver, errors } = await setUp();
    let isAway = false;
    const failing = async <T>(call: () => Promise<T>) => {
      if (isAway) throw new Error('away');
      return call();
    };
    const shaky: Store = {
      ...store,
      claimDuty: (...given) => failing(() => store.claimDuty(...given)),
      recordDuty: (...given) => failing(() => store.recordDuty(...given)),
    };
    const seen: string[] = [];
    await begun(
      store,
      deliver(collect(seen), {}, () => 0, { store: shaky, tail }),
    );
    isAway = true;
    await store.appendJournal(names(1));
    await until('an error', () => errors.length > 0);
    isAway = false;
    await store.appendJournal([named('2')]);
    await until('both', () => seen.includes('2'));
    expect(seen.filter((name, at) => seen.indexOf(name) === at)).toEqual(['1', '2']);
  });
});

/** A delivery that a busy machine held up for longer would send again what it had not recorded. */
const leaseMsDefault = 3_000;

type Given = Partial<{ store: Store; tail: JournalTail; holder: string }>;

async function setUp() {
  const plain = createSqliteStore({ path: ':memory:', now: Date.now });
  await plain.open();
  const tail = createJournalTail({ store: plain, onError() {} }, { pollMs: 20 });
  const store = waking(plain, tail.wake);
  const failed: FailedDelivery[] = [];
  const recovered: string[] = [];
  const errors: unknown[] = [];
  const stops: (() => Promise<void>)[] = [];
  onTestFinished(async () => {
    await Promise.all(stops.map((stop) => stop()));
    tail.close();
    await store.close();
  });

  function deliver(
    send: Send,
    options: Partial<EventDeliveryOptions> = {},
    random = () => 0,
    given: Given = {},
  ) {
    const delivery = createEventDelivery(
      {
        ...{ store, tail, holder: 'one', random, monotonic: () => performance.now() },
        onFailed: (one) => failed.push(one),
        onRecovered: ({ id }) => recovered.push(id),
        onError: (error) => errors.push(error),
        ...{ send, ...given },
      },
      { duty: 'test', types: null, leaseMs: leaseMsDefault, retryMsFirst: 2, retryMsMax: 10, ...options },
    );
    stops.push(delivery.stop);
    return delivery;
  }
  return { store, tail, deliver, failed, recovered, errors };
}

/** Starts it, and waits until it has begun. */
async function begun(store: Store, delivery: { start(): void }, leaseMs = leaseMsDefault): Promise<void> {
  delivery.start();
  const claim = () => store.claimDuty('test', 'one', leaseMs);
  await until('the begin', async () => ((await claim())?.progress ?? 0) > 0);
}

function sum(counts: ReadonlyMap<number, number>): number {
  return [...counts.values()].reduce((all, count) => all + count, 0);
}

function collect(seen: string[]): Send {
  return async ({ target }) => {
    seen.push(target ?? '');
    return null;
  };
}

function named(target: string, action = 'CreateKey') {
  return journalDraft({ action, target });
}

function names(count: number) {
  return Array.from({ length: count }, (_, at) => named(String(at + 1)));
}
