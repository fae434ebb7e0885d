import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Caller } from '../../src/admin/identity.ts';
import { createWatchOperations, sendAll, type Watched } from '../../src/admin/watch-operations.ts';
import type { KeyEvent } from '../../src/events/events.ts';
import { createJournalTail } from '../../src/events/journal-tail.ts';
import { adminRead } from '../../src/keys/admin-permissions.ts';
import type { Store } from '../../src/store/store.ts';
import { until } from '../real/until.ts';
import { createTestService, type TestService } from '../service.ts';
import { journalDraft } from '../store-contract/setting.ts';

describe('watchKeys', () => {
  it('tells of each change as it happens, in order, and goes on after any of them without a gap', async () => {
    const { service, watch, caller } = await setUp();
    const whole = await watch({});
    await until('the first answer', () => whole.answers.length === 1);
    const { key } = await service.admin.createKey(caller, { name: 'One', owner: 'acme' });
    await service.admin.updateKey(caller, key.id, { name: 'Two' });
    await service.admin.disableKey(caller, key.id);
    await service.admin.enableKey(caller, key.id);
    const rotated = await service.admin.rotateKey(caller, key.id, {});
    await service.admin.revokeKey(caller, rotated.key.id);
    await service.admin.putOwner(caller, 'acme', { suspended: true });

    await until('all events', () => events(whole).length === 7);
    const types = 'created updated disabled enabled rotated revoked'.split(' ').map((type) => `key.${type}`);
    expect(events(whole).map(({ type }) => type)).toEqual([...types, 'owner.put']);
    expect(events(whole)[1]).toMatchObject({
      ...{ target: key.id, owner: 'acme', actor: 'POSTERN_ADMIN_KEY' },
      details: { before: { name: 'One' }, after: { name: 'Two' } },
    });
    const third = await watch({ resume_token: events(whole)[2]?.id });
    await until('the rest', () => events(third).length === 4);
    expect(events(third)).toEqual(events(whole).slice(3));
  });

  it('begins now without a token, and tells the token to begin from before anything happens', async () => {
    const { service, watch, caller } = await setUp();
    await service.admin.createKey(caller, { name: 'Before' });
    const watched = await watch({});
    await until('the first answer', () => watched.answers.length === 1);
    expect(watched.answers).toEqual([{ resumeToken: 'evt_0000000000000001', event: null }]);
    await service.admin.createKey(caller, { name: 'After' });
    await until('an event', () => events(watched).length === 1);
    expect(events(watched)[0]?.details).toMatchObject({ after: { name: 'After' } });
  });

  it('tells neither of refused calls nor of reads, nor of types that were not asked for', async () => {
    const { service, watch, caller } = await setUp();
    const watched = await watch({ types: ['key.revoked', 'owner.put'] });
    const { key } = await service.admin.createKey(caller, { name: 'One' });
    await service.admin.getKey(caller, key.id);
    await expect(service.admin.getKey({ ...caller, authorization: [] }, key.id)).rejects.toThrow();
    await service.admin.revokeKey(caller, key.id);
    await until('an event', () => events(watched).length > 0);
    await service.admin.putOwner(caller, 'acme', {});
    await until('another', () => events(watched).length > 1);
    expect(events(watched).map(({ type }) => type)).toEqual(['key.revoked', 'owner.put']);
  });

  it('shows an admin key that has an owner what is about that owner alone', async () => {
    const { service, watch, caller } = await setUp();
    const bound = await adminKey(service, { owner: 'acme' });
    const watched = await watch({}, bound.caller);
    await service.admin.createKey(caller, { name: 'Theirs', owner: 'other' });
    await service.admin.createKey(caller, { name: 'Nobody' });
    await service.store.appendJournal([notice({ owner: null }), notice({ owner: 'acme' })]);
    await service.admin.createKey(caller, { name: 'Ours', owner: 'acme' });
    await until('both', () => events(watched).length === 2);
    expect(events(watched).map(({ type, owner }) => [type, owner])).toEqual([
      ['key.expiring', 'acme'],
      ['key.created', 'acme'],
    ]);
  });

  it('ends for one whose admin key is revoked, before it is told of anything more', async () => {
    const { service, watch, caller } = await setUp();
    const reader = await adminKey(service, {});
    const watched = await watch({}, reader.caller);
    await until('the first answer', () => watched.answers.length === 1);
    await service.admin.revokeKey(caller, reader.id);
    await until('the end', () => watched.error !== null);
    expect(watched.error).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(events(watched)).toEqual([]);
  });

  it('is refused to those who may not read, and for tokens and types that are none', async () => {
    const { service, caller } = await setUp();
    const { signal } = new AbortController();
    const weak = await adminKey(service, { permissions: ['read:assets'] });
    const watch = (input: unknown, by: Caller = caller) => service.admin.watchKeys(by, input, signal);
    await expect(watch({}, weak.caller)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    for (const resume_token of ['x', 'evt_1', 'evt_0000000000000099', 7]) {
      const violations = [{ field: 'resume_token' }];
      await expect(watch({ resume_token })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', violations });
    }
    const violations = [{ field: 'types.1' }];
    await expect(watch({ types: ['key.revoked', 'nonsense'] })).rejects.toMatchObject({ violations });
  });

  it('refuses to go on after what is not kept any more, instead of leaving it out', async () => {
    const { service, caller } = await setUp();
    for (const name of ['1', '2', '3']) await service.admin.createKey(caller, { name });
    const kept = await service.store.listJournal({}, { order: 'oldest', after: 2, size: 9 });
    const store = { listJournal: async () => kept };
    const tail = createJournalTail({ store, onError() {} });
    const operations = createWatchOperations({ tail, store, monotonic: () => 0 });
    const { signal } = new AbortController();
    const call = { ...({} as Parameters<typeof operations.watchKeys>[0]) };
    const old = operations.watchKeys(call, { resume_token: 'evt_0000000000000001' }, signal);
    await expect(old).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'RESUME_TOKEN_TOO_OLD' });
  });
});

describe('the tail of the journal', () => {
  it('asks the store once for what is written at one moment', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    let reads = 0;
    const listJournal = async () => {
      reads++;
      return [];
    };
    const tail = createJournalTail({ store: { listJournal }, onError() {} }, { restMs: 20 });
    const waited = tail.wait(0, 10_000, new AbortController().signal);
    await vi.advanceTimersByTimeAsync(1);
    expect(reads).toBe(1);
    for (let change = 0; change < 10; change++) {
      tail.wake();
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(reads).toBe(1);
    await vi.advanceTimersByTimeAsync(20);
    expect(reads).toBe(2);
    tail.close();
    await expect(waited).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('is read by one for as many as watch, and by nobody while nobody does', async () => {
    let reads = 0;
    const { service, watch, caller } = await setUp((store) => ({
      ...store,
      listJournal(...given) {
        reads++;
        return store.listJournal(...given);
      },
    }));
    const watches = await Promise.all(Array.from({ length: 50 }, () => watch({})));
    await until('all to begin', () => watches.every(({ answers }) => answers.length === 1));
    const before = reads;
    await service.admin.createKey(caller, { name: 'One' });
    await until('all to hear', () => watches.every((watched) => events(watched).length === 1));
    // It reads now and then by itself too.
    expect(reads - before).toBeLessThan(watches.length);

    for (const watched of watches) watched.abort();
    await until('all to end', () => watches.every(({ isDone }) => isDone));
    await service.admin.createKey(caller, { name: 'Two' });
    const idle = reads;
    await service.admin.createKey(caller, { name: 'Three' });
    expect(reads).toBe(idle);
  });

  it('tells each of many watches of each of many concurrent changes once, wherever they begin', async () => {
    const { service, watch, caller } = await setUp();
    const watches = [await watch({})];
    const create = async (name: string) => {
      await service.admin.createKey(caller, { name });
      const seen = watches[0]?.answers.at(-1)?.resumeToken;
      watches.push(await watch({ resume_token: seen }));
    };
    await until('the first answer', () => watches[0]?.answers.length === 1);
    await Promise.all(Array.from({ length: 100 }, (_, at) => create(String(at))));
    const all = () => Array.from({ length: 100 }, (_, at) => `evt_${String(at + 1).padStart(16, '0')}`);
    await until('all', () => watches.every(({ answers }) => answers.at(-1)?.resumeToken === all()[99]));
    for (const { first, answers } of watches) {
      const ids = answers.flatMap(({ event }) => event?.id ?? []);
      expect(ids).toEqual(all().filter((id) => id > first()));
    }
  });

  it('ends every watch with UNAVAILABLE when the service stops', async () => {
    const { service, watch } = await setUp();
    const watched = await watch({});
    await until('the first answer', () => watched.answers.length === 1);
    service.tail.close();
    await until('the end', () => watched.error !== null);
    expect(watched.error).toMatchObject({ code: 'UNAVAILABLE', reason: 'STOPPING' });
  });

  it('lets a watch live through an outage of the store', async () => {
    let isAway = false;
    const { service, watch, caller } = await setUp((store) => ({
      ...store,
      listJournal: (...given) => (isAway ? Promise.reject(new Error('away')) : store.listJournal(...given)),
    }));
    const watched = await watch({});
    await until('the first answer', () => watched.answers.length === 1);
    isAway = true;
    await service.admin.createKey(caller, { name: 'One' });
    isAway = false;
    await until('an event', () => events(watched).length === 1);
  });
});

describe('a watch', () => {
  it('takes its place until it ends, however it does', async () => {
    const { service } = await setUp();
    const { tail, store } = service;
    const dependencies = { tail, store, monotonic: () => 0 };
    const operations = createWatchOperations(dependencies, { watchesMax: 2 });
    const call = watchCall();
    const end = new AbortController();
    const open = (signal = new AbortController().signal) => operations.watchKeys(call, {}, signal);
    await open(end.signal);
    const second = await open();
    await expect(open()).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'TOO_MANY_WATCHES' });
    // One whose answers nobody took, and one that its receiver leaves.
    end.abort();
    for await (const _ of second) break;
    await Promise.all([open(), open()]);
    await expect(open()).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  });

  it('says in each silence that it is alive, and moves the token on past what is not for it', async () => {
    const { service } = await setUp();
    const { tail, store } = service;
    const dependencies = { tail, store, monotonic: () => 0 };
    const operations = createWatchOperations(dependencies, { heartbeatMs: 100 });
    const end = new AbortController();
    onTestFinished(() => end.abort());
    const answers = await operations.watchKeys(watchCall(), { types: ['owner.put'] }, end.signal);
    const next = answers[Symbol.asyncIterator]();
    expect((await next.next()).value).toEqual({ resumeToken: 'evt_0000000000000000', event: null });
    await store.appendJournal([journalDraft()]);
    expect((await next.next()).value).toEqual({ resumeToken: 'evt_0000000000000001', event: null });
  });

  it('is over for a receiver that does not take an answer in time', async () => {
    async function* answers(): AsyncGenerator<Watched> {
      yield { resumeToken: 'evt_0000000000000000', event: null };
    }
    const { signal } = new AbortController();
    const never = () => new Promise<void>(() => {});
    await expect(sendAll(answers(), never, signal, 5)).rejects.toMatchObject({ reason: 'WATCH_TOO_SLOW' });
  });
});

interface Watching {
  readonly answers: Watched[];
  readonly first: () => string;
  error: unknown;
  isDone: boolean;
  abort(): void;
}

async function setUp(wrap: (store: Store) => Store = (store) => store) {
  const plain = await createTestService();
  const service = await createTestService({ store: wrap(plain.store) });
  const caller: Caller = { authorization: [service.adminAuthorization], address: '192.0.2.1' };
  const opened: Watching[] = [];
  onTestFinished(async () => {
    for (const watching of opened) watching.abort();
    service.tail.close();
    await service.store.close();
  });

  async function watch(input: unknown, by: Caller = caller): Promise<Watching> {
    const end = new AbortController();
    const answers: Watched[] = [];
    const first = () => answers[0]?.resumeToken ?? '';
    const watching: Watching = { answers, first, error: null, isDone: false, abort: () => end.abort() };
    opened.push(watching);
    const given = await service.admin.watchKeys(by, input, end.signal);
    const take = async (answer: Watched) => void answers.push(answer);
    sendAll(given, take, end.signal)
      .catch((error: unknown) => {
        watching.error = error;
      })
      .finally(() => {
        watching.isDone = true;
      });
    return watching;
  }
  return { service, watch, caller };
}

function events({ answers }: Watching): KeyEvent[] {
  return answers.flatMap(({ event }) => event ?? []);
}

async function adminKey(service: TestService, given: { owner?: string; permissions?: string[] }) {
  const all = { authorization: [service.adminAuthorization], address: '' };
  const wanted = { name: 'An admin key', permissions: [adminRead], ...given };
  const { key, secret } = await service.admin.createKey(all, wanted);
  return { id: key.id, caller: { authorization: [`Bearer ${secret?.reveal()}`], address: '' } };
}

function notice({ owner }: { owner: string | null }) {
  return journalDraft({ kind: 'notice', action: 'KeyExpiring', actor: null, owner, after: { within: '7d' } });
}

function watchCall() {
  const nobody = { actorName: null, key: null, portal: null, owner: null, refusal: null, reason: null };
  const identity = { ...nobody, actor: 'key_admin', canRead: true, canWrite: false };
  const origin = { actor: 'key_admin', action: 'WatchKeys', address: null, requestId: null };
  return { identity, origin, renew: async () => {} };
}
