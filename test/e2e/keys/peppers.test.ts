import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { createDigester } from '../../../src/keys/secret.ts';
import { postern as commandLine } from '../../cli/console.ts';
import { freshDatabase } from '../../real/mongod.ts';
import { adminKey, type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { admin, makeKey } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-peppers-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const stores = {
  SQLite: () => `sqlite:${join(folder, 'postern.db')}`,
  MongoDB: () => freshDatabase(inject('mongoUri')).uri,
};
const pepper = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const [old, young] = [pepper('old'), pepper('young')];

describe.each(Object.keys(stores) as (keyof typeof stores)[])('peppers, on %s', (name) => {
  it('are rotated: keys that are used move to the newest with no gap, and then the old one can be dropped', async () => {
    const POSTERN_STORE = stores[name]();
    const serve = async (...peppers: string[]) => {
      const postern = await startPostern({ POSTERN_STORE, POSTERN_PEPPERS: peppers.join() });
      onTestFinished(() => postern.stop());
      return postern;
    };
    const first = await serve(old);
    const [used, unused] = [(await makeKey(first)).key, (await makeKey(first)).key];
    const foreign = unknownKey();
    const imported = await command(first, ['import', 'keys.csv'], { 'keys.csv': csvOf(foreign) });
    expect(imported).toMatchObject({ code: 0, output: expect.stringContaining('imported 1, duplicates 0') });
    expect(await keysUnder(first)).toEqual({ old: 2, '': 1 });
    expect((await command(first, ['doctor'])).output).toContain('info: 1 key is under no pepper.');
    await first.kill('SIGTERM');
    expect(await first.exited).toBe(0);

    const second = await serve(young, old);
    expect(await keysUnder(second)).toEqual({ young: 0, old: 2, '': 1 });
    const answers = new Set<number>();
    await until('both keys have moved', async () => {
      answers.add(await ask(second, used)).add(await ask(second, foreign));
      return (await keysUnder(second)).young === 2;
    });
    for (let more = 0; more < 20; more++)
      answers.add(await ask(second, used)).add(await ask(second, foreign));
    expect(answers).toEqual(new Set([0]));
    expect(await keysUnder(second)).toEqual({ young: 2, old: 1, '': 0 });
    // Whatever else it finds: a test may run on an old MongoDB.
    const doctor = await command(second, ['doctor']);
    expect(doctor.output).toContain('info: 1 key is under the older pepper old.');
    expect(doctor.output).not.toContain('error: ');
    await second.kill('SIGTERM');
    await second.exited;

    const third = await serve(young);
    expect([await ask(third, used), await ask(third, foreign)]).toEqual([0, 0]);
    expect(await ask(third, unused)).not.toBe(0);
    const late = await command(third, ['doctor']);
    expect(late).toMatchObject({
      code: 1,
      output: expect.stringContaining('error: 1 key is under the pepper old'),
    });
  });

  it('have moved a key by the time that the service has stopped', async () => {
    const POSTERN_STORE = stores[name]();
    const before = await startPostern({ POSTERN_STORE });
    onTestFinished(() => before.stop());
    const had = (await keysUnder(before))[''] ?? 0;
    const { key } = await makeKey(before);
    await before.kill('SIGTERM');
    await before.exited;
    const peppered = { POSTERN_STORE, POSTERN_PEPPERS: pepper('only') };
    const during = await startPostern(peppered);
    onTestFinished(() => during.stop());
    expect(await ask(during, key)).toBe(0);
    await during.kill('SIGTERM');
    expect(await during.exited).toBe(0);
    const after = await startPostern(peppered);
    onTestFinished(() => after.stop());
    expect(await keysUnder(after)).toMatchObject({ only: 1, '': had });
  });
});

async function ask({ check }: Postern, key: string): Promise<number> {
  const request = checkRequest({ authorization: `Bearer ${key}` });
  return (await sendCheck(`${check.host}:${check.port}`, request)).code;
}

async function keysUnder(postern: Postern): Promise<Record<string, number>> {
  const { data } = (await admin(postern, 'GET', '/admin/diagnostics')) as {
    data: { peppers: { id: string; keys: number }[] };
  };
  return Object.fromEntries(data.peppers.map(({ id, keys }) => [id, keys]));
}

/** A CSV file with the digest of one key. */
function csvOf(key: string): string {
  return `sha256,name,scheme\n${createDigester([]).sign(key)},foreign,postern\n`;
}

/** Runs the command line against a service. */
async function command(
  { url }: Postern,
  argv: readonly string[],
  files: Record<string, string> = {},
): Promise<{ code: number; output: string }> {
  const environment = { POSTERN_ADDRESS: url, POSTERN_ADMIN_KEY: adminKey };
  const { exitCode, stdout, stderr } = await commandLine(argv, { environment, files });
  return { code: exitCode, output: stdout + stderr };
}
