import { readdirSync, readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { startPostern } from '../../real/postern.ts';

/** Each thread of a process by its name, the first as `main`, with how late it comes where others want the same core. */
function nicenessOf(pid: number): Map<string, number> {
  const threads = readdirSync(`/proc/${pid}/task`).map((id): [string, number] => {
    const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, 'latin1');
    const end = stat.lastIndexOf(')');
    const name = Number(id) === pid ? 'main' : stat.slice(stat.indexOf('(') + 1, end);
    return [name, Number(stat.slice(end + 2).split(' ')[16])];
  });
  return new Map(threads);
}

it('the thread that answers Checks goes before the one that has the store and the console', async () => {
  const postern = await startPostern({ POSTERN_REPLICA_ID: 'replica' });
  onTestFinished(() => postern.stop());
  const niceness = nicenessOf(postern.pid);
  const [service, checks] = ['main', 'replica/1'].map((name) => niceness.get(name));
  expect(checks).toBeDefined();
  expect(service).toBeGreaterThan(checks as number);
});
