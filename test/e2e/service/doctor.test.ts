import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import type { Finding } from '../../../src/store/diagnosis/finding.ts';
import { start } from '../../real/child.ts';
import { type Envoy, startEnvoy } from '../../real/envoy.ts';
import { freshDatabase } from '../../real/mongod.ts';
import { adminKey, type Postern, startPostern } from '../../real/postern.ts';
import { makeKey } from '../stack.ts';

const bin = fileURLToPath(new URL('../../../bin/postern.js', import.meta.url));
let folder: string;
let envoy: Envoy;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-doctor-'));
  envoy = await startEnvoy({ checkAddress: { host: '127.0.0.1', port: 1 }, asWritten: true });
});
afterAll(async () => {
  await envoy?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** `postern doctor` as a person runs it. */
async function doctor(environment: Record<string, string>, ...flags: string[]) {
  const scratch = await mkdtemp(join(folder, 'run-'));
  const env = { PATH: process.env.PATH, ...environment };
  const child = await start({ path: process.execPath }, [bin, 'doctor', '--json', ...flags], scratch, env);
  const code = await child.exited;
  const { findings } = JSON.parse(child.log()) as { findings: Finding[] };
  await child.stop();
  return { code, findings, found: findings.map(({ level, code: kind }) => `${level} ${kind}`) };
}

const calling = ({ url }: Postern, key = adminKey) => ({ POSTERN_ADDRESS: url, POSTERN_ADMIN_KEY: key });

describe('postern doctor, at the front door,', () => {
  it('goes from well to wrong to not asked, on SQLite behind an Envoy', async () => {
    const path = join(folder, 'data', 'postern.db');
    const postern = await startPostern({ POSTERN_STORE: `sqlite:${path}` });
    onTestFinished(() => postern.stop());
    const well = await doctor(calling(postern), '--envoy', envoy.adminUrl);
    expect(well).toMatchObject({ code: 0, found: ['info store.kind', 'info admin.fixed_key'] });

    await chmod(path, 0o644);
    const wrong = await doctor(calling(postern));
    expect(wrong.code).toBe(1);
    expect(wrong.findings).toContainEqual(
      expect.objectContaining({ code: 'store.file_rights', where: path }),
    );

    await postern.stop();
    const dump = join(folder, 'dump.json');
    await writeFile(dump, await (await fetch(`${envoy.adminUrl}/config_dump`)).text());
    const away = await doctor(calling(postern), '--envoy', dump);
    expect(away).toMatchObject({ code: 2, found: ['error service.not_asked'] });
    const alone = await doctor(
      { POSTERN_STORE: `sqlite:${path}` },
      '--no-service',
      '--deep',
      '--envoy',
      dump,
    );
    expect(alone).toMatchObject({ code: 0, found: ['info database.whole'] });
  });

  it('sees every replica on one MongoDB, and needs an admin key that may read', async () => {
    const { uri } = freshDatabase(inject('mongoUri'));
    const replicas = await Promise.all(
      ['one', 'two'].map((id) => startPostern({ POSTERN_STORE: uri, POSTERN_REPLICA_ID: id })),
    );
    onTestFinished(async () => void (await Promise.all(replicas.map((replica) => replica.stop()))));
    const [one] = replicas as [Postern];
    const { findings, found } = await doctor(calling(one));
    expect(found.filter((text) => text.startsWith('error'))).toEqual([]);
    const fleet = findings.find(({ code }) => code === 'fleet.replicas')?.what;
    expect(fleet).toMatch(/^2 replicas are registered: (?:one|two) .*, (?:one|two) /);

    const { key } = await makeKey(one, { scheme: 'postern', permissions: ['admin:read'] });
    expect((await doctor(calling(one, key))).found).toContain('info fleet.replicas');
    const { key: weak } = await makeKey(one, { scheme: 'postern', permissions: ['read:things'] });
    const refused = await doctor(calling(one, weak));
    expect(refused).toMatchObject({ code: 2, found: ['error service.not_asked'] });
    expect(refused.findings[0]?.what).toContain('admin:read');
  });
});
