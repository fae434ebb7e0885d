import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import type { ServiceTold } from '../../src/link/messages.ts';
import { createToldChanges } from '../../src/link/told-changes.ts';
import { createWorkerFeed } from '../../src/link/worker-feed.ts';
import { createWorkerStore } from '../../src/link/worker-store.ts';
import type { Feed } from '../../src/store/feed/feed.ts';
import { type Settlement, StoreUnavailable } from '../../src/store/store.ts';

const stalenessMaxMs = 15_000;
const settleMaxMs = 200;
const id = 'key_a' as KeyId;

/** The end of this turn of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A service and one Check worker, whose link and clocks are variables. */
function setting({
  settled = { unconfirmedReplicas: [] as readonly string[] },
  readPage = null as Feed['readPage'],
} = {}) {
  // Clocks stand still but for what really passes, so that waits end.
  const clock = { skipped: 0 };
  const monotonic = () => performance.now() + clock.skipped;
  const now = () => 5_000_000 + monotonic();
  const store = { isFresh: true, lagMs: 0 };
  const feed = { isFresh: () => store.isFresh, lagMs: () => store.lagMs, readPage };
  const told = createToldChanges({ feed, stalenessMaxMs, settleMaxMs, now, monotonic });
  const toWorker: ServiceTold[] = [];
  const link = { isOpen: true, takesMore: true };
  const line = told.join('one/1', (what) => link.takesMore && toWorker.push(what) > 0);
  const memory: string[] = [];
  const answers: (() => void)[] = [];
  const worker = createWorkerFeed({
    tell(what) {
      if (what[0] === 'beat') line.onBeat(what[1]);
      if (what[0] === 'applied') line.onApplied(what[1]);
    },
    askLagMs() {
      const lagMs = line.lagMs();
      return new Promise((resolve) => answers.push(() => resolve(lagMs)));
    },
    ...{ stalenessMaxMs, now, monotonic },
  });
  worker.subscribe({
    onChange: (changed) => memory.push(changed),
    onRoleChange() {},
    onOwnerChange: (changed) => memory.push(changed),
    onGap: () => memory.push('gap'),
  });
  /** What is on its way to the worker arrives. */
  const arrive = async () => {
    for (const what of toWorker.splice(0)) worker.take(what);
    for (const answer of answers.splice(0)) answer();
    await turn();
  };
  const settleStore = async ({ at }: { at: number }): Promise<Settlement> => ({
    effectiveAt: at,
    ...settled,
  });
  const settle = () => told.settle({ at: now() }, settleStore);
  return { clock, monotonic, now, store, told, line, toWorker, link, worker, memory, arrive, settle };
}

describe('a Check worker', () => {
  it('answers from memory once a beat of its own has come back, for the staleness bound from when it left', async () => {
    const { worker, arrive, clock } = setting();
    expect(worker.isFresh()).toBe(false);
    worker.start();
    worker.stop();
    worker.start();
    expect(worker.isFresh()).toBe(false);
    clock.skipped += 10_000;
    await arrive();
    expect(worker.isFresh()).toBe(true);
    clock.skipped += stalenessMaxMs - 10_000 + 1;
    expect(worker.isFresh()).toBe(false);
    worker.stop();
  });

  it('counts how old what the service knows is, and answers nothing where that cannot be told', async () => {
    const { worker, arrive, clock, store } = setting();
    store.lagMs = 5_000;
    worker.start();
    await arrive();
    clock.skipped += stalenessMaxMs - 5_000 - 1_000;
    expect(worker.isFresh()).toBe(true);
    clock.skipped += 1_001;
    expect(worker.isFresh()).toBe(false);
    worker.stop();
    store.isFresh = false;
    worker.start();
    await arrive();
    expect(worker.isFresh()).toBe(false);
    worker.stop();
  });

  it('asks again soon while the service knows nothing for certain, and about once a second from then on', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const { worker, arrive, store, toWorker } = setting();
    store.isFresh = false;
    worker.start();
    for (let times = 0; times < 4; times++) {
      await arrive();
      expect(worker.isFresh()).toBe(false);
      vi.advanceTimersByTime(150);
      expect(toWorker).toHaveLength(1);
    }
    store.isFresh = true;
    await arrive();
    vi.advanceTimersByTime(150);
    await arrive();
    expect(worker.isFresh()).toBe(true);
    vi.advanceTimersByTime(150);
    expect(toWorker).toEqual([]);
    store.isFresh = false;
    vi.advanceTimersByTime(1_000);
    await arrive();
    worker.stop();
    vi.advanceTimersByTime(5_000);
    expect(toWorker).toEqual([]);
  });

  it('hears of each change in order, and after a gap answers nothing until a later beat is back', async () => {
    const { worker, arrive, told, memory, store } = setting();
    worker.start();
    await arrive();
    told.subscriber.onChange(id, null);
    told.subscriber.onOwnerChange('acme');
    store.isFresh = false;
    told.subscriber.onGap();
    await arrive();
    expect(memory).toEqual([id, 'acme', 'gap']);
    expect(worker.isFresh()).toBe(false);
    store.isFresh = true;
    await arrive();
    expect(worker.isFresh()).toBe(false);
    worker.stop();
    worker.start();
    await arrive();
    expect(worker.isFresh()).toBe(true);
    worker.stop();
  });

  it('believes no answer of the store that took longer than memory may be old', async () => {
    const { monotonic, clock } = setting();
    const slow = (ms: number, lagMs: number) =>
      createWorkerStore({
        service: {
          async ask() {
            clock.skipped += ms;
            return { value: null, lagMs } as never;
          },
        },
        ...{ workers: 1, stalenessMaxMs, monotonic },
      });
    expect(await slow(1_000, 1_000).findKey([])).toBeNull();
    await expect(slow(stalenessMaxMs, 0).findKey([])).rejects.toThrow(StoreUnavailable);
    await expect(slow(0, Infinity).getOwner('acme')).rejects.toThrow(StoreUnavailable);
    await expect(slow(10_000, 5_000).getOwner('acme')).rejects.toThrow(StoreUnavailable);
  });
});

describe('a change', () => {
  it('is settled when the worker has applied it, and not before', async () => {
    const { worker, told, arrive, settle } = setting();
    worker.start();
    await arrive();
    told.subscriber.onChange(id, null);
    let isSettled = false;
    const settled = settle().finally(() => {
      isSettled = true;
    });
    await turn();
    expect(isSettled).toBe(false);
    await arrive();
    expect(await settled).toMatchObject({ unconfirmedReplicas: [] });
    worker.stop();
  });

  it.each([
    ['waits for no worker where it makes a key that nobody has heard of', null],
    [
      'waits for it all the same where memory may know all other keys',
      async () => ({ keys: [], unreadable: [], next: null }),
    ],
  ])('%s', async (_, readPage) => {
    const { worker, told, arrive } = setting({ readPage });
    worker.start();
    await arrive();
    // Another change, which the worker has not applied.
    told.subscriber.onChange(id, null);
    const made = async () => 'made' as never;
    const names = ['insertFirstKey', 'insertKeys', 'replaceKey', 'replaceKeys', 'rotateKey'] as const;
    const others = Object.fromEntries(
      [...names, 'putOwner', 'putRole', 'deleteRole'].map((name) => [name, made]),
    );
    const { insertKey } = told.following({ insertKey: made, ...others } as never);
    const hasWaited = async (isUnheard?: true) => {
      const done = insertKey({} as never, 1, undefined, isUnheard).then(() => false);
      return Promise.race([done, turn().then(() => true)]);
    };
    expect(await hasWaited(true)).toBe(readPage !== null);
    expect(await hasWaited()).toBe(true);
    worker.stop();
  });

  it('resolves once the worker has applied it, or after a moment', async () => {
    const { worker, told, arrive, toWorker } = setting();
    worker.start();
    await arrive();
    const change = async () => {
      told.subscriber.onChange(id, null);
      return 'done' as never;
    };
    const changes = { insertKey: change, insertFirstKey: change, insertKeys: change, replaceKey: change };
    const others = {
      rotateKey: change,
      putOwner: change,
      putRole: change,
      deleteRole: change,
      replaceKeys: change,
    };
    const { replaceKey } = told.following({ ...changes, ...others });
    let isDone = false;
    const done = replaceKey({} as never, 1, 1).finally(() => {
      isDone = true;
    });
    await turn();
    expect(isDone).toBe(false);
    await arrive();
    expect(await done).toBe('done');
    expect(await replaceKey({} as never, 1, 1)).toBe('done');
    expect(toWorker.filter(([kind]) => kind === 'key')).toHaveLength(1);
    worker.stop();
  });

  it('that was answered though a worker stood still is one that this has not heard of, until it has asked', async () => {
    const { worker, told, arrive, memory, link } = setting();
    worker.start();
    await arrive();
    expect(worker.isHeard()).toBe(true);
    const insertKey = async () => told.subscriber.onChange(id, null);
    await told.following({ insertKey } as never).insertKey({} as never, 1, undefined);
    expect(worker.isFresh()).toBe(true);
    expect(worker.isHeard()).toBe(false);

    const heard = worker.hear();
    expect(worker.hear()).toBe(heard);
    await arrive();
    await heard;
    expect(worker.isHeard()).toBe(true);
    expect(memory).toEqual([id]);

    link.takesMore = false;
    told.subscriber.onChange(id, null);
    const behind = worker.hear();
    await arrive();
    await behind;
    expect(worker.isHeard()).toBe(false);
    worker.stop();
  });

  it('names a worker that does not apply it, and says when its lease ends at the latest', async () => {
    const { worker, told, arrive, settle, now, clock } = setting();
    worker.start();
    await arrive();
    const at = now();
    told.subscriber.onChange(id, null);
    const { effectiveAt, unconfirmedReplicas } = await settle();
    expect(unconfirmedReplicas).toEqual(['one/1']);
    expect(effectiveAt).toBeGreaterThanOrEqual(at + stalenessMaxMs);
    clock.skipped += effectiveAt - now();
    expect(worker.isFresh()).toBe(false);
    expect((await settle()).unconfirmedReplicas).toEqual([]);
    worker.stop();
  });

  it('waits for nobody who has ended, or was never given a lease', async () => {
    const { worker, told, line, arrive, settle } = setting();
    told.subscriber.onChange(id, null);
    expect((await settle()).unconfirmedReplicas).toEqual([]);
    worker.start();
    await arrive();
    told.subscriber.onChange(id, null);
    line.leave();
    expect((await settle()).unconfirmedReplicas).toEqual([]);
    worker.stop();
  });

  it('waits too for a worker that has no lease but was sent what the store knew before', async () => {
    const { told, line, settle } = setting();
    await line.dated(async () => 'an answer on its way');
    told.subscriber.onChange(id, null);
    expect((await settle()).unconfirmedReplicas).toEqual(['one/1']);
  });

  it('is as late as the store says, whatever the workers say', async () => {
    const { worker, arrive, settle } = setting({ settled: { unconfirmedReplicas: ['other'] } });
    worker.start();
    await arrive();
    expect((await settle()).unconfirmedReplicas).toEqual(['other']);
    worker.stop();
  });

  it('is as late as the store says where it cannot tell who has heard of a change, and names nobody', async () => {
    const { told, worker, arrive, now } = setting();
    worker.start();
    await arrive();
    const effectiveAt = now() + stalenessMaxMs;
    const settleStore = async () => ({ effectiveAt, unconfirmedReplicas: [] });
    expect(await told.settle({ at: now() }, settleStore)).toEqual({ effectiveAt, unconfirmedReplicas: [] });
    worker.stop();
  });

  it('of another replica is acknowledged only when the worker has applied it', async () => {
    const { worker, told, arrive } = setting();
    worker.start();
    await arrive();
    told.subscriber.onChange(id, null);
    const acknowledged = vi.fn();
    const applied = told.subscriber.applied?.().then(acknowledged);
    await turn();
    expect(acknowledged).not.toHaveBeenCalled();
    await arrive();
    await applied;
    worker.stop();
  });
});

describe('a worker that is told more than it takes', () => {
  it('is given no lease meanwhile, and forgets everything once it takes again', async () => {
    const { worker, told, link, memory, arrive, toWorker, clock } = setting();
    worker.start();
    await arrive();
    told.subscriber.onChange(id, null);
    link.takesMore = false;
    told.subscriber.onChange('key_b' as KeyId, null);
    link.takesMore = true;
    told.subscriber.onChange('key_c' as KeyId, null);
    clock.skipped += stalenessMaxMs;
    worker.stop();
    worker.start();
    expect(toWorker).toHaveLength(1);
    await arrive();
    expect(worker.isFresh()).toBe(false);
    expect(memory).toEqual([id]);
    await arrive();
    expect(memory).toEqual([id, 'gap']);
    await arrive();
    expect(worker.isFresh()).toBe(true);
    worker.stop();
  });
});

describe('what is read for a worker', () => {
  it('is as old as what the service knows, unless it was read from the latest there is', async () => {
    const { store, line } = setting();
    const lagOf = async (during = () => {}) => (await line.dated(async () => during())).lagMs;
    store.lagMs = 700;
    expect(await lagOf()).toBe(700);
    const end = () => {
      store.isFresh = false;
    };
    expect(await lagOf(end)).toBe(Infinity);
    expect(await lagOf()).toBe(0);
  });
});
