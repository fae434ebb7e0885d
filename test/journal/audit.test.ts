import { describe, expect, it } from 'vitest';
import type { Admin } from '../../src/admin/admin.ts';
import type { Caller } from '../../src/admin/identity.ts';
import { keyJson } from '../../src/changes/key-json.ts';
import { ownerJson } from '../../src/changes/owner-json.ts';
import { auditJson, type JournalEntry } from '../../src/journal/journal.ts';
import { audit, callerWith, refusal, root, start, violations } from '../admin-calls.ts';
import type { TestService } from '../service.ts';
import { journalDraft, listChain } from '../store-contract/setting.ts';

/** What the contract shows of an event, in its order, then what the chain is made of. */
const members = [
  ...['id', 'at', 'actor', 'action', 'target', 'outcome', 'address', 'request_id', 'before', 'after'],
  ...['owner', 'error', 'kind', 'once', 'previous_hash', 'hash', 'actor_name', 'target_name'],
];

async function withKey(wanted: object = { name: 'A key', owner: 'acme', permissions: ['a', 'b'] }) {
  const service = await start();
  const { key, secret } = await service.admin.createKey(root(service), wanted);
  return { service, key, secret: secret?.reveal() ?? '' };
}

const changes: [keyof Admin, (admin: Admin, caller: Caller, id: string) => Promise<unknown>][] = [
  ['createKey', (admin, caller) => admin.createKey(caller, { name: 'Another', owner: 'acme' })],
  ['updateKey', (admin, caller, id) => admin.updateKey(caller, id, { permissions: ['a'] })],
  ['rotateKey', (admin, caller, id) => admin.rotateKey(caller, id, { grace_period: '1h' })],
  ['disableKey', (admin, caller, id) => admin.disableKey(caller, id)],
  ['revokeKey', (admin, caller, id) => admin.revokeKey(caller, id)],
  ['putOwner', (admin, caller) => admin.putOwner(caller, 'acme', { suspended: true })],
];

describe('the audit journal', () => {
  it.each(changes)(
    'has one event of %s: who, from where, of what, before and after',
    async (name, change) => {
      const { service, key, secret } = await withKey();
      const writer = await callerWith(service, ['admin:write']);
      const caller = { ...writer, address: '192.0.2.7', requestId: 'req-7' };
      service.clock.now += 5_000;
      const before = await audit(service);
      await change(service.admin, caller, key.id);
      const [event, ...rest] = await audit(service);
      expect(rest).toEqual(before);
      const after = event?.after as { id?: string; state?: string; etag?: string } | null;
      expect(event).toMatchObject({
        ...{ kind: 'call', actor: writer.key.id, action: `${name[0]?.toUpperCase()}${name.slice(1)}` },
        ...{ outcome: 'ok', error: null, address: '192.0.2.7', requestId: 'req-7', owner: 'acme' },
        target: name === 'createKey' ? after?.id : name === 'putOwner' ? 'acme' : key.id,
      });
      if (name === 'createKey' || name === 'putOwner') expect(event?.before).toBe(null);
      else expect(event?.before).toEqual(keyJson(key, service.clock.now));
      const text = JSON.stringify(event);
      for (const hidden of [secret, key.digest, secret.slice(-20)]) expect(text).not.toContain(hidden);
    },
  );

  it('tells what a change made of the thing, as the contract shows it', async () => {
    const { service, key } = await withKey();
    const { admin } = service;
    const { key: updated } = await admin.updateKey(root(service), key.id, { name: 'Another' });
    const { owner } = await admin.putOwner(root(service), 'acme', { plan: 'pro' });
    const { owner: again } = await admin.putOwner(root(service), 'acme', { suspended: true });
    const { key: disabled } = await admin.disableKey(root(service), key.id);
    const enabled = await admin.enableKey(root(service), key.id);
    const { key: revoked } = await admin.revokeKey(root(service), key.id);
    const at = service.clock.now;
    const events = (await audit(service)).map(({ action, before, after }) => [action, before, after]);
    expect(events.toReversed()).toEqual([
      ['CreateKey', null, keyJson(key, at)],
      ['UpdateKey', keyJson(key, at), keyJson(updated, at)],
      ['PutOwner', null, ownerJson(owner, at)],
      ['PutOwner', ownerJson(owner, at), ownerJson(again, at)],
      // Its owner is suspended by then.
      ['DisableKey', keyJson({ ...updated, blocked: 'owner_inactive' }, at), keyJson(disabled, at)],
      ['EnableKey', keyJson(disabled, at), keyJson(enabled, at)],
      ['RevokeKey', keyJson(enabled, at), keyJson(revoked, at)],
    ]);
  });

  it('has none of a call that only reads, nor of one that finds all as it is to be', async () => {
    const { service, key, secret } = await withKey();
    const { admin } = service;
    await admin.disableKey(root(service), key.id);
    const before = await audit(service);
    await admin.disableKey(root(service), key.id);
    await admin.getKey(root(service), key.id);
    await admin.getKeyUsage(root(service), key.id, {});
    await admin.listKeys(root(service), {});
    await admin.listOwners(root(service), {});
    await admin.verifyKey(root(service), { key: secret });
    expect(await audit(service)).toEqual(before);
  });

  it('names a call as its request does, else as its caller does, and in no way that is no name', async () => {
    const { service } = await withKey();
    const named = async (requestId: string | null, request_id?: unknown) => {
      const wanted = { name: 'Named', ...(request_id !== undefined && { request_id }) };
      await refusal(service.admin.createKey({ ...root(service), requestId }, wanted));
      return (await audit(service))[0]?.requestId;
    };
    expect(await named('of-the-caller', 'of-the-request')).toBe('of-the-request');
    expect(await named('of-the-caller')).toBe('of-the-caller');
    expect(await named('of-the-caller', null)).toBe('of-the-caller');
    expect(await named(null)).toBe(null);
    for (const bad of ['', 'a\nb', 'x'.repeat(129), '\u202e']) expect(await named(bad)).toBe(null);
    expect(await named('of-the-caller', { bad: true })).toBe('of-the-caller');
  });
});

describe('a refused call', () => {
  const nobody = 'key_00000000000000000000000000';
  const cases: [
    string,
    string,
    (service: TestService) => Promise<{ call: Promise<unknown>; event: object }>,
  ][] = [
    [
      'without a key',
      'UNAUTHENTICATED',
      async ({ admin }) => ({
        call: admin.revokeKey({ authorization: [], address: '192.0.2.7', requestId: 'r' }, nobody),
        event: {
          ...{ action: 'RevokeKey', actor: null, target: nobody },
          address: '192.0.2.7',
          requestId: 'r',
        },
      }),
    ],
    [
      'with a key that nobody has',
      'UNAUTHENTICATED',
      async ({ admin }) => ({
        call: admin.getKey({ authorization: [`Bearer pst_live_${'x'.repeat(40)}`], address: '' }, nobody),
        event: { action: 'GetKey', actor: null, target: nobody, address: null, requestId: null },
      }),
    ],
    [
      'with a key that is revoked',
      'UNAUTHENTICATED',
      async (service) => {
        const caller = await callerWith(service, ['admin:write'], 'acme');
        await service.admin.revokeKey(root(service), caller.key.id);
        return {
          call: service.admin.listKeys(caller, {}),
          event: { action: 'ListKeys', actor: caller.key.id, target: null, owner: 'acme' },
        };
      },
    ],
    [
      'with too little permission',
      'PERMISSION_DENIED',
      async (service) => {
        const caller = await callerWith(service, ['admin:read']);
        return {
          call: service.admin.disableKey(caller, nobody),
          event: { action: 'DisableKey', actor: caller.key.id, target: nobody, owner: null },
        };
      },
    ],
    [
      'beyond its owner',
      'PERMISSION_DENIED',
      async (service) => {
        const caller = await callerWith(service, ['admin:write'], 'acme');
        return {
          call: service.admin.putOwner(caller, 'acme', {}),
          event: { action: 'PutOwner', actor: caller.key.id, target: null, owner: 'acme' },
        };
      },
    ],
    [
      'that makes no sense',
      'INVALID_ARGUMENT',
      async (service) => ({
        call: service.admin.createKey(root(service), { name: '' }),
        event: { action: 'CreateKey', actor: 'POSTERN_ADMIN_KEY', target: null },
      }),
    ],
    [
      'about a key that is not there',
      'NOT_FOUND',
      async (service) => ({
        call: service.admin.rotateKey(root(service), nobody, {}),
        event: { action: 'RotateKey', target: nobody },
      }),
    ],
    [
      'that comes too late',
      'ABORTED',
      async (service) => {
        const { key } = await service.admin.createKey(root(service), { name: 'One', owner: 'acme' });
        return {
          call: service.admin.updateKey(root(service), key.id, { name: 'Two', etag: 'v0' }),
          event: { action: 'UpdateKey', target: key.id },
        };
      },
    ],
    [
      'that the state forbids',
      'FAILED_PRECONDITION',
      async (service) => {
        const { key } = await service.admin.createKey(root(service), { name: 'One' });
        await service.admin.revokeKey(root(service), key.id);
        return {
          call: service.admin.enableKey(root(service), key.id),
          event: { action: 'EnableKey', target: key.id },
        };
      },
    ],
  ];

  it.each(cases)('%s (%s) is one event, and changes nothing', async (_, code, make) => {
    const service = await start();
    const made = await make(service);
    expect(await refusal(made.call)).toMatch(new RegExp(`^${code} `));
    const refused = await audit(service, { outcome: 'refused' });
    expect(refused).toHaveLength(1);
    const nothing = { before: null, after: null, once: null };
    expect(refused[0]).toMatchObject({ ...made.event, outcome: 'refused', error: code, ...nothing });
    expect((await audit(service))[0]).toEqual(refused[0]);
  });

  it.each<[what: string, read: (service: TestService) => Promise<unknown>]>([
    [
      'a filter that makes no sense',
      ({ admin, ...service }) => admin.listKeys(root({ admin, ...service }), { state: 'x' }),
    ],
    [
      'a page token of another list',
      (service) => service.admin.listOwners(root(service), { page_token: 'x' }),
    ],
    ['a key that is not there', (service) => service.admin.getKey(root(service), nobody)],
    ['an owner that is not there', (service) => service.admin.getOwner(root(service), 'nobody')],
    ['a key that is judged without one', (service) => service.admin.verifyKey(root(service), {})],
    ['a bad time', (service) => service.admin.listAuditEvents(root(service), { since: 'x' })],
  ])('is no event where it only asked, and asked wrongly: %s', async (_, read) => {
    const service = await start();
    expect(await refusal(read(service))).toMatch(/^(?:INVALID_ARGUMENT|NOT_FOUND) /);
    expect(await audit(service)).toEqual([]);
  });

  it('leaves nothing of what was sent in the journal: a secret in the place of an id, a key, a name', async () => {
    const { service, secret } = await withKey();
    const wrong = `${secret.slice(0, -1)}~`;
    const calls = [
      service.admin.getKey(root(service), secret),
      service.admin.revokeKey(root(service), `${secret}\n`),
      service.admin.getOwner(root(service), secret),
      service.admin.createKey(root(service), { name: '', owner: secret, [secret]: secret }),
      service.admin.getKey({ authorization: [`Bearer ${wrong}`], address: '' }, 'x'),
      service.admin.updateKey(root(service), 'x', { etag: secret, labels: { a: secret } }),
    ];
    for (const call of calls) expect(await refusal(call)).not.toBe('was not refused');
    const refused = await audit(service, { outcome: 'refused' });
    // All but the two reads of somebody who may read.
    expect(refused).toHaveLength(calls.length - 2);
    expect(JSON.stringify(refused)).not.toContain(secret.slice(12, -2));
  });

  it('is answered as before when it cannot be journalled, and the log hears of it', async () => {
    const lost: unknown[] = [];
    const service = await start({ onRefusalLost: (error) => lost.push(error) });
    const { appendJournal } = service.store;
    const broken = new Error('the disk is full');
    Object.assign(service.store, { appendJournal: () => Promise.reject(broken) });
    expect(await refusal(service.admin.revokeKey(root(service), 'x'))).toBe('NOT_FOUND KEY_NOT_FOUND');
    Object.assign(service.store, { appendJournal });
    expect(lost).toEqual([broken]);
    expect(await refusal(service.admin.revokeKey(root(service), 'x'))).toBe('NOT_FOUND KEY_NOT_FOUND');
    expect(await audit(service)).toHaveLength(1);
  });
});

describe('a list of audit events', () => {
  async function busy() {
    const service = await start();
    const { admin, clock } = service;
    for (const owner of ['acme', 'other', null]) {
      const { key } = await admin.createKey(root(service), { name: 'One', owner });
      clock.now += 1_000;
      await admin.disableKey(root(service), key.id);
      clock.now += 1_000;
    }
    await admin.putOwner(root(service), 'acme', {});
    await refusal(admin.revokeKey(root(service), 'x'));
    return { service, list: (asked: object) => admin.listAuditEvents(root(service), asked) };
  }

  it('is newest first, in pages that together are all', async () => {
    const { service, list } = await busy();
    const all = await audit(service);
    expect(all.map(({ sequence }) => sequence)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    const paged: JournalEntry[] = [];
    for (let page_token: string | null = ''; page_token !== null; ) {
      const page = await list({ page_size: 3, page_token });
      expect(page.events.length).toBeLessThanOrEqual(3);
      paged.push(...page.events);
      page_token = page.nextPageToken;
      // What happens meanwhile moves nothing.
      await service.admin.createKey(root(service), { name: 'Meanwhile' });
    }
    expect(paged).toEqual(all);
  });

  it('is narrowed by each filter, and by all that are given', async () => {
    const { service, list } = await busy();
    const all = await audit(service);
    const kept = async (asked: object) => (await list(asked)).events.map(({ sequence }) => sequence);
    const [third] = all.filter(({ sequence }) => sequence === 3);
    const at = new Date(third?.at ?? 0).toISOString();
    expect(await kept({ actor: 'POSTERN_ADMIN_KEY' })).toHaveLength(8);
    expect(await kept({ actor: 'somebody' })).toEqual([]);
    expect(await kept({ action: 'CreateKey' })).toEqual([5, 3, 1]);
    expect(await kept({ target: third?.target })).toEqual([4, 3]);
    expect(await kept({ outcome: 'refused' })).toEqual([8]);
    expect(await kept({ owner: 'acme' })).toEqual([7, 2, 1]);
    expect(await kept({ since: at })).toEqual([8, 7, 6, 5, 4, 3]);
    expect(await kept({ until: at })).toEqual([2, 1]);
    expect(await kept({ since: at, until: at })).toEqual([]);
    expect(await kept({ owner: 'other', action: 'DisableKey', outcome: 'ok', since: at })).toEqual([4]);
  });

  it('has page tokens that belong to their query', async () => {
    const { service, list } = await busy();
    const { nextPageToken } = await list({ page_size: 1, action: 'CreateKey' });
    const keys = await service.admin.listKeys(root(service), { page_size: 1 });
    for (const asked of [
      { page_token: nextPageToken },
      { page_token: nextPageToken, action: 'DisableKey' },
      { page_token: nextPageToken, action: 'CreateKey', owner: 'acme' },
      { page_token: nextPageToken, action: 'CreateKey', notices: true },
      { page_token: keys.nextPageToken },
      { page_token: 'nonsense' },
    ]) {
      expect(await violations(list(asked))).toMatchObject([{ field: 'page_token' }]);
    }
    expect((await list({ action: 'CreateKey', page_token: nextPageToken })).events).toHaveLength(2);
  });

  it.each([
    ['page_size', -1],
    ['page_size', 1.5],
    ['actor', ''],
    ['action', 'x'.repeat(65)],
    ['target', 'a\nb'],
    ['outcome', 'maybe'],
    ['since', 'yesterday'],
    ['until', 7],
    ['owner', 'ümlaut'],
    ['notices', 'yes'],
    ['kind', 'call'],
  ])('names a bad %s (%j)', async (field, value) => {
    const { list } = await busy();
    expect(await violations(list({ [field]: value }))).toMatchObject([{ field }]);
  });

  it('leaves notices out unless they are asked for', async () => {
    const { service, list } = await busy();
    const notice = journalDraft({ kind: 'notice', action: 'KeyExpiring', owner: 'acme', once: 'once' });
    await service.store.appendJournal([notice]);
    expect((await list({})).events.map(({ kind }) => kind)).not.toContain('notice');
    expect((await list({ notices: true })).events[0]).toMatchObject(notice);
  });

  it('shows an admin key that has an owner what is about that owner’s keys, and nothing of another', async () => {
    const { service } = await busy();
    const acme = await callerWith(service, ['admin:read'], 'acme');
    const other = await callerWith(service, ['admin:write'], 'other');
    await refusal(service.admin.revokeKey(other, acme.key.id));
    await refusal(service.admin.revokeKey(acme, other.key.id));
    const seen = await service.admin.listAuditEvents(acme, {});
    expect(seen.events.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
      ...['RevokeKey refused', 'CreateKey ok', 'PutOwner ok', 'DisableKey ok', 'CreateKey ok'],
    ]);
    expect(new Set(seen.events.map(({ owner }) => owner))).toEqual(new Set(['acme']));
    expect(await refusal(service.admin.listAuditEvents(acme, { owner: 'other' }))).toBe(
      'PERMISSION_DENIED OWNER_MISMATCH',
    );
    const filtered = await service.admin.listAuditEvents(acme, { target: other.key.id });
    expect(filtered.events.map(({ actor }) => actor)).toEqual([acme.key.id]);
  });

  it('is one chain of hashes, whatever was called, with the contract’s members first', async () => {
    const { service } = await busy();
    const chain = await listChain(service.store);
    expect(chain).toHaveLength(8);
    for (const entry of chain) expect(Object.keys(auditJson(entry))).toEqual(members);
  });
});
