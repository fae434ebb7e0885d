import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createDigester } from '../../src/keys/secret.ts';
import { readPresets } from '../../src/presets/read.ts';
import { mintSecret, type Scheme } from '../../src/schemes/scheme.ts';
import { createScheme, schemeSpec } from '../../src/settings/schemes/scheme-spec.ts';
import { accessRequest } from '../requests.ts';
import { createTestService } from '../service.ts';

const postern = readPresets().get('postern') as Scheme;
const kong = createScheme(
  schemeSpec.parse({
    name: 'kong',
    places: [{ header: 'apikey' }, { header: 'Authorization', word: 'Bearer' }],
    prefixes: { '': 'live' },
    accept: { alphabet: 'A-Za-z0-9_', min: 8, max: 64 },
  }),
  { answers: postern.answers, checksumKeys: [] },
);

async function start() {
  const service = await createTestService({ schemes: [kong] });
  onTestFinished(() => service.store.close());
  const caller = { authorization: [service.adminAuthorization], address: '192.0.2.1' };
  const decide = (name: string, value: string) =>
    service.authorize(accessRequest({ headers: [[name, value]] }));
  return { ...service, caller, decide };
}

describe('keys without a prefix', () => {
  it('are imported as secrets and as digests, and pass where their scheme looks', async () => {
    const { admin, caller, decide, store } = await start();
    const [secret, other] = [randomBytes(16).toString('hex'), 'a_short_key'];
    const keys = [
      { secret, name: 'secret', scheme: 'kong' },
      { sha256: createDigester([]).sign(other as never), name: 'digest', scheme: 'kong', last4: '_key' },
    ];
    expect(await admin.importKeys(caller, { keys })).toMatchObject({ imported: 2, failures: [] });
    for (const key of [secret, other]) {
      expect(await decide('apikey', key)).toMatchObject({ verdict: 'allow', scheme: { name: 'kong' } });
      expect(await decide('authorization', `Bearer ${key}`)).toMatchObject({ verdict: 'allow' });
    }
    expect(await decide('apikey', 'another_key')).toMatchObject({ reason: 'unknown' });
    const kept = await store.listKeys({ now: 0, scheme: 'kong' }, { before: null, size: 9 });
    expect(kept.map(({ name, prefix, last4, environment }) => [name, prefix, last4, environment])).toEqual([
      ['digest', '', 'ey', 'live'],
      ['secret', secret.slice(0, 4), secret.slice(-4), 'live'],
    ]);
  });

  it('are never made, nor rotated, and the error says what to do', async () => {
    const { admin, caller, store } = await start();
    await expect(admin.createKey(caller, { name: 'x', scheme: 'kong' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      violations: [{ field: 'scheme', description: expect.stringContaining('imported and never made') }],
    });
    await admin.importKeys(caller, { keys: [{ secret: 'a_key_of_kong', name: 'k', scheme: 'kong' }] });
    const [key] = await store.listKeys({ now: 0, scheme: 'kong' }, { before: null, size: 1 });
    await expect(admin.rotateKey(caller, key?.id ?? '', {})).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'KEY_NOT_MINTED',
    });
    const { schemes } = await admin.getTerms(caller);
    expect(schemes.filter(({ imports_only }) => imports_only).map(({ name }) => name)).toEqual(['kong']);
  });

  it('are not imported where they look like those of another scheme, as which a Check would take them', async () => {
    const { admin, caller } = await start();
    const secret = mintSecret(postern, 'live')?.secret.reveal();
    const { imported, failures } = await admin.importKeys(caller, {
      keys: [{ secret, name: 'x', scheme: 'kong' }],
    });
    expect([imported, failures]).toEqual([
      0,
      [{ index: 0, field: 'secret', description: expect.stringContaining('the form of the scheme postern') }],
    ]);
  });
});
