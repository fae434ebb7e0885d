import { expect, inject, it, onTestFinished } from 'vitest';
import { sendAll } from '../../src/admin/watch-operations.ts';
import { createEventDelivery } from '../../src/events/event-delivery.ts';
import { createJournalTail } from '../../src/events/journal-tail.ts';
import { createWebhook } from '../../src/events/webhook.ts';
import type { Store } from '../../src/store/store.ts';
import { describeEvents } from '../events/event-cases.ts';
import { describeUnused } from '../events/unused-cases.ts';
import { until } from '../real/until.ts';
import { createTestService } from '../service.ts';
import { journalDraft } from '../store-contract/setting.ts';
import { startReceiver, status } from '../webhook-receiver.ts';
import { createSetting } from './setting.ts';

const createStore = async () => {
  const setting = await createSetting(inject('mongoUri'));
  const store = setting.store();
  await store.open();
  return store;
};

describeEvents('MongoDB', createStore);
describeUnused('MongoDB', createStore);

it('a watch on one replica is told of what happens on all of them, once and in order', async () => {
  const stores = await replicas(3);
  const services = await Promise.all(stores.map((store) => createTestService({ store })));
  onTestFinished(() => {
    for (const { tail } of services) tail.close();
  });
  const [first] = services;
  const caller = { authorization: [first?.adminAuthorization ?? ''], address: '' };
  const end = new AbortController();
  const answers = await first?.admin.watchKeys(caller, {}, end.signal);
  if (answers === undefined) throw new Error('no watch');
  const seen: string[] = [];
  const take = async ({ event }: { event: { id: string } | null }) => {
    if (event !== null) seen.push(event.id);
  };
  const watching = sendAll(answers, take, end.signal);
  const names = Array.from({ length: 10 }, (_, at) => String(at));
  await Promise.all(services.flatMap(({ admin }) => names.map((name) => admin.createKey(caller, { name }))));
  await until('all', () => seen.length === 30);
  end.abort();
  await watching;
  expect(seen).toEqual(Array.from({ length: 30 }, (_, at) => `evt_${String(at + 1).padStart(16, '0')}`));
});

it('one replica delivers, and the other takes over in order when it dies', async () => {
  const stores = await replicas(2);
  const [store] = stores;
  if (store === undefined) throw new Error('no store');
  const { url, received, answers } = await startReceiver();
  answers.push(status(500));
  const secrets = [Buffer.alloc(32, 1)];
  const send = createWebhook({ fetch, now: Date.now }, { url, secrets });
  const alive = [true, true];
  const deliveries = stores.map((own, at) => {
    const tail = createJournalTail({ store: own, onError() {} }, { pollMs: 50 });
    const holder = `replica-${at}`;
    const delivery = createEventDelivery(
      {
        ...{ store: mortal(own, () => alive[at] === true), tail, holder, send, random: Math.random },
        ...{ monotonic: () => performance.now(), onFailed() {}, onRecovered() {}, onError() {} },
      },
      { duty: 'webhook', types: null, leaseMs: 5_000, retryMsFirst: 10 },
    );
    onTestFinished(async () => {
      await delivery.stop();
      tail.close();
    });
    return delivery;
  });
  deliveries[0]?.start();
  await until(
    'the begin',
    async () => ((await store.claimDuty('webhook', 'replica-0', 5_000))?.progress ?? 0) > 0,
  );
  deliveries[1]?.start();
  await store.appendJournal(['1', '2', '3'].map((target) => journalDraft({ action: 'CreateKey', target })));
  await until('three', () => received.length === 4);
  alive[0] = false;
  await store.appendJournal(['4', '5', '6'].map((target) => journalDraft({ action: 'CreateKey', target })));
  await until('the rest', () => targets(received).includes('6'));
  const first = targets(received).filter((target, at, all) => all.indexOf(target) === at);
  expect(first).toEqual(['1', '2', '3', '4', '5', '6']);
  expect(targets(received).slice(0, 4)).toEqual(['1', '1', '2', '3']);
});

function targets(received: readonly { readonly json: { readonly data: { readonly target: string } } }[]) {
  return received.map(({ json }) => json.data.target);
}

/** The store as a process that dies leaves it: its duty is neither renewed nor given up. */
function mortal(store: Store, isAlive: () => boolean): Store {
  return {
    ...store,
    claimDuty: async (...given) => (isAlive() ? store.claimDuty(...given) : null),
    recordDuty: async (...given) => isAlive() && store.recordDuty(...given),
  };
}

async function replicas(count: number): Promise<Store[]> {
  const setting = await createSetting(inject('mongoUri'));
  const stores = Array.from({ length: count }, () => setting.store());
  for (const store of stores) await store.open();
  return stores;
}
