import { describe, expect, it, onTestFinished } from 'vitest';
import type { Caller } from '../../src/admin/identity.ts';
import { mintSecret, type Scheme } from '../../src/schemes/scheme.ts';
import { createSecretFinder } from '../../src/schemes/written-secret.ts';
import { createTestService } from '../service.ts';

async function start() {
  const service = await createTestService();
  onTestFinished(() => service.store.close());
  const caller: Caller = { authorization: [service.adminAuthorization], address: '192.0.2.1' };
  const secret = mint(service.schemes);
  const journal = async () =>
    JSON.stringify(await service.store.listJournal({}, { after: null, order: 'newest', size: 100 }));
  return { ...service, caller, secret, journal };
}

function mint(schemes: readonly Scheme[], name = 'postern'): string {
  const scheme = schemes.find((known) => known.name === name) as Scheme;
  return mintSecret(scheme, 'live')?.secret.reveal() ?? '';
}

describe('a whole key', () => {
  it('is found by its form in a text, of every scheme, and nothing else is', async () => {
    const { schemes } = await start();
    const holds = createSecretFinder(schemes);
    for (const { name } of schemes) {
      const key = mint(schemes, name);
      for (const text of [
        key,
        `my key ${key}`,
        `"${key}".`,
        `key=${key}&x`,
        `https://x/?k=${key}`,
        `(${key})x`,
      ])
        expect([name, text, holds(text)]).toEqual([name, text, true]);
      expect(holds(key.slice(0, 12))).toBe(false);
    }
    for (const text of [
      '',
      'pst_live_',
      'Billing',
      'task_live_marketing_and_more',
      'sk_live_short',
      'k'.repeat(9_000),
    ])
      expect([text, holds(text)]).toEqual([text, false]);
  });

  it('is found within a word, too, where its checksum tells it from the end of that word', async () => {
    const { schemes, secret } = await start();
    const holds = createSecretFinder(schemes);
    for (const text of [`x${secret}`, `prod${secret}`, `9${secret}9`])
      expect([text, holds(text)]).toEqual([text, true]);
    expect(holds(`x${secret.slice(0, -1)}`)).toBe(false);
  });

  it('is looked for within a bound, however often its beginning is repeated', async () => {
    const { schemes } = await start();
    expect(createSecretFinder(schemes)('pst_live_.'.repeat(100_000))).toBe(false);
  });

  it('is refused as a name, a label, an owner, a request id or any other text of CreateKey, by its field', async () => {
    const { admin, caller, secret, journal } = await start();
    const inputs: [object, string][] = [
      [{ name: secret }, 'name'],
      [{ name: `key ${secret}` }, 'name'],
      [{ name: 'x', labels: { team: secret } }, 'labels.team'],
      [{ name: 'x', labels: { [secret]: 'a' } }, 'labels'],
      [{ name: 'x', owner: secret }, 'owner'],
      [{ name: 'x', request_id: secret }, 'request_id'],
      [{ name: 'x', permissions: ['a', secret] }, 'permissions.1'],
      [{ name: 'x', plan: secret }, 'plan'],
      [{ name: 'x', [secret]: 'a' }, '(body)'],
    ];
    for (const [input, field] of inputs) {
      const error = await admin.createKey(caller, input).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field }] });
      expect(JSON.stringify([error, String(error)])).not.toContain(secret);
    }
    expect(await journal()).not.toContain(secret);
  });

  it('is refused as the id of a key or an owner, as a filter, and in an import without stopping other keys', async () => {
    const { admin, caller, secret, schemes, journal } = await start();
    const refusal = (field: string) => ({ code: 'INVALID_ARGUMENT', violations: [{ field }] });
    await expect(admin.getKey(caller, secret)).rejects.toMatchObject(refusal('id'));
    await expect(admin.revokeKey(caller, secret, {})).rejects.toMatchObject(refusal('id'));
    await expect(admin.updateKey(caller, secret, { name: 'x' })).rejects.toMatchObject(refusal('id'));
    await expect(admin.getOwner(caller, secret)).rejects.toMatchObject(refusal('id'));
    await expect(admin.putOwner(caller, secret, {})).rejects.toMatchObject(refusal('id'));
    await expect(admin.listKeys(caller, { owner: secret })).rejects.toMatchObject(refusal('owner'));
    await expect(admin.listAuditEvents(caller, { target: secret })).rejects.toMatchObject(refusal('target'));
    const keys = [
      { secret: mint(schemes), name: secret },
      { secret: mint(schemes), name: 'good' },
    ];
    expect(await admin.importKeys(caller, { keys })).toMatchObject({
      imported: 1,
      failures: [{ index: 0, field: 'name' }],
    });
    expect(await journal()).not.toContain(secret);
  });

  it('is taken where it is meant to be', async () => {
    const { admin, caller, secret } = await start();
    expect(await admin.verifyKey(caller, { key: secret, path: `/?k=${secret}` })).toMatchObject({
      reason: 'unknown',
    });
    await admin.reportLeakedKeys(caller, { keys: [{ key: secret, url: `https://x/${secret}` }] });
  });

  it('names no call, nor does what is no name, by whatever header', async () => {
    const { admin, caller, secret, journal } = await start();
    for (const requestId of [secret, `a-${secret}`, ' blank', 'line\nend', 'é', 'x'.repeat(129)])
      await admin.createKey({ ...caller, requestId }, { name: 'x' });
    await admin.createKey({ ...caller, requestId: 'a-good-name' }, { name: 'x' });
    const { entries } = JSON.parse(`{"entries":${await journal()}}`);
    const names = entries.map(({ requestId }: { requestId: string | null }) => requestId);
    expect(names.filter((name: string | null) => name !== null)).toEqual(['a-good-name']);
  });
});
