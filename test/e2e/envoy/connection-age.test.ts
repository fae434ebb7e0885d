import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { admin, send, startStack } from '../stack.ts';

it('connections from Envoy end when they are old, and no request that was on its way is failed by it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-age-'));
  const config = join(folder, 'postern.yaml');
  await writeFile(config, 'check: { store_timeout: 5s, connection_age_max: 1s }\n');
  const stack = await startStack({ POSTERN_CONFIG: config });
  onTestFinished(async () => {
    await stack.stop();
    await rm(folder, { recursive: true });
  });
  const made = (await admin(stack.postern, 'POST', '/admin/api-keys', { name: 'age' })) as {
    data: { key: string };
  };
  const header = ['authorization', `Bearer ${made.data.key}`] as const;

  // Each worker asks again as soon as it is answered, until Envoy has been told three times to go elsewhere.
  const statuses = new Map<number, number>();
  let told = 0;
  const work = async () => {
    while (told < 3) {
      const { status } = await send(stack.envoy.url, '/', [header]);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const watch = async () => {
    while (told < 3) told = await counter(stack.envoy.adminUrl, 'upstream_cx_close_notify');
  };
  await Promise.all([watch(), ...Array.from({ length: 20 }, work)]);

  expect([...statuses.keys()]).toEqual([200]);
});

/** Of Envoy's connections to Postern. */
async function counter(adminUrl: string, name: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/stats?filter=${name}`)).text();
  return [...text.matchAll(/^cluster\.postern\S*: (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}
