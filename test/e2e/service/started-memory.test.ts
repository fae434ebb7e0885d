import { readFile } from 'node:fs/promises';
import { expect, it, onTestFinished } from 'vitest';
import { startPostern, withoutCompileCache } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { admin, makeKey } from '../stack.ts';

const residentMiBMax = 128;

it('a service that has started gives back what that took, and answers all the same', async () => {
  const postern = await startPostern(withoutCompileCache);
  onTestFinished(() => postern.stop());

  let resident = 0;
  await until(
    () => `at most ${residentMiBMax} MiB resident, not ${resident}`,
    async () => {
      resident = await residentMiB(postern.pid);
      return resident <= residentMiBMax;
    },
    { everyMs: 200 },
  );

  const { id } = await makeKey(postern, { name: 'after' });
  expect(await admin(postern, 'GET', `/admin/api-keys/${id}`)).toMatchObject({ data: { id } });
});

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
