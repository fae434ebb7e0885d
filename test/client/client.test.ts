import { expect, it, onTestFinished } from 'vitest';
import { createClient, dateOf, durationOf, PosternError, timestampOf } from '../../src/client/client.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { startAdmin } from '../grpc/admin-client.ts';
import { until } from '../real/until.ts';

async function startClient(given: Parameters<typeof startAdmin>[0] = {}) {
  const running = await startAdmin(given);
  const adminKey = running.service.adminAuthorization.replace('Bearer ', '');
  const client = createClient({ address: running.address, adminKey });
  onTestFinished(() => client.close());
  return { ...running, client };
}

it('makes, changes, lists, rotates and revokes keys', async () => {
  const { client } = await startClient();
  const at = new Date('2199-01-31T12:00:00Z');

  const made = await client.createKey({
    name: 'Billing job',
    permissions: ['read:bills'],
    labels: { team: 'billing' },
    expires_at: timestampOf(at),
    rate_limits: [{ limit: 10, length: { $case: 'window', value: durationOf(60_000) } }],
  });
  await client.createKey({ name: 'other' });
  const changed = await client.updateKey({
    key: { id: made.key?.id ?? '', name: 'Renamed', permissions: [] },
  });
  const rotated = await client.rotateKey({ id: made.key?.id ?? '', grace_period: durationOf(60_000) });
  const revoked = await client.revokeKey({ id: rotated.key?.id ?? '' });
  const listed = [];
  for await (const { name } of client.allKeys({ page_size: 1 })) listed.push(name);

  expect(made.secret).toMatch(/^pst_live_/);
  expect(made.key).toMatchObject({ permissions: ['read:bills'], labels: { team: 'billing' } });
  expect(made.key?.expires_at && dateOf(made.key.expires_at)).toEqual(at);
  expect(changed.key).toMatchObject({ name: 'Renamed', permissions: [], labels: { team: 'billing' } });
  expect(rotated.key?.rotated_from).toBe(made.key?.id);
  expect(revoked.unconfirmed_replicas).toEqual([]);
  expect(listed).toEqual(['Renamed', 'other', 'Renamed']);
});

it('tells why the service refuses, by code, reason and fields', async () => {
  const { client, address } = await startClient();

  const refused = await client.createKey({ name: '', permissions: ['a|b'] }).catch((error) => error);
  const missing = await client.getKey({ id: 'key_01k0c6h3v8s9w2m4n5p7q8r9t1' }).catch((error) => error);
  const stranger = createClient({ address, adminKey: async () => 'not a key' });
  const unknown = await stranger.getTerms().catch((error) => error);
  stranger.close();

  expect(refused).toBeInstanceOf(PosternError);
  expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD' });
  expect(refused.fields.map(({ field }: { field: string }) => field)).toEqual(['name', 'permissions.0']);
  expect(missing).toMatchObject({ code: 'NOT_FOUND', reason: 'KEY_NOT_FOUND', fields: [] });
  expect(unknown).toMatchObject({ code: 'UNAUTHENTICATED' });
});

it('tries again while the store is away, and makes no second key', async () => {
  let calls = 0;
  const { client, service } = await startClient({
    admin: ({ createKey }) => ({
      async createKey(call, input) {
        calls += 1;
        if (calls === 1) throw new StoreUnavailable('gone before it was made');
        const made = await createKey(call, input);
        if (calls === 2) throw new StoreUnavailable('gone before it was told');
        return made;
      },
    }),
  });

  const made = await client.createKey({ name: 'Billing job' });

  expect(calls).toBe(3);
  // It is told once, and that answer was lost.
  expect(made).toMatchObject({ key: { name: 'Billing job' }, secret: '' });
  expect((await service.store.listKeys({ now: 0 }, { before: null, size: 10 })).length).toBe(1);
});

it('gives up after its tries, and ends where its signal says so', async () => {
  const client = createClient({ address: '127.0.0.1:1', adminKey: 'x', triesMax: 2, timeoutMs: 60_000 });
  onTestFinished(() => client.close());
  const stop = new AbortController();

  const away = await client.getTerms().catch((error) => error);
  const patient = createClient({ address: '127.0.0.1:1', adminKey: 'x', triesMax: 1_000 });
  const stopped = patient.getTerms({}, { signal: stop.signal }).catch((error) => error);
  stop.abort();

  expect(away).toMatchObject({ code: 'UNAVAILABLE' });
  expect(await stopped).toMatchObject({ code: 'CANCELLED' });
  patient.close();
});

it('watches changes, each once, until it is told to stop', async () => {
  const { client } = await startClient();
  const stop = new AbortController();
  const seen: string[] = [];
  const { key } = await client.createKey({ name: 'first' });

  const watching = (async () => {
    for await (const change of client.watchKeys({ types: ['key.revoked'] }, { signal: stop.signal })) {
      seen.push(change.target);
    }
  })();
  const all: string[] = [];
  for (let number = 0; seen.length === 0; number++) {
    const { key } = await client.createKey({ name: `key ${number}` });
    all.push(key?.id ?? '');
    await client.revokeKey({ id: key?.id ?? '' });
  }
  await client.revokeKey({ id: key?.id ?? '' });
  await until('the last change is told', () => seen.at(-1) === key?.id);
  stop.abort();
  await watching;

  expect(seen).toEqual([...all, key?.id].slice(-seen.length));
});

it('goes on watching where it was when the connection is lost', async () => {
  let watches = 0;
  const { client } = await startClient({
    admin: ({ watchKeys }) => ({
      async watchKeys(call, input, signal) {
        watches += 1;
        const answers = await watchKeys(call, input, signal);
        return watches === 1 ? endingAfterOne(answers) : answers;
      },
    }),
  });
  const seen: string[] = [];

  const { key } = await client.createKey({ name: 'first' });
  const watching = (async () => {
    for await (const { target } of client.watchKeys({ types: ['key.created'] })) {
      seen.push(target);
      if (watches === 2) break;
    }
  })();
  const all = [key?.id];
  for (let number = 0; watches < 2 || seen.length < 2; number++) {
    all.push((await client.createKey({ name: `key ${number}` })).key?.id);
  }
  await watching;

  expect(seen).toEqual(all.slice(all.indexOf(seen[0]), all.indexOf(seen[0]) + seen.length));
});

async function* endingAfterOne<Answer extends { readonly event: unknown }>(answers: AsyncIterable<Answer>) {
  for await (const answer of answers) {
    yield answer;
    if (answer.event !== null) throw new StoreUnavailable('gone');
  }
}

it('takes keys in that were made elsewhere, batch after batch', async () => {
  const { client } = await startClient();
  const batch = (name: string) => ({
    keys: [{ name, credential: { $case: 'sha256', value: name.repeat(64) } as const, prefix: 'pst_live_' }],
  });

  const told = [];
  for await (const answer of client.importKeys([batch('a'), batch('b')])) told.push(answer);

  expect(told.length).toBe(2);
});
