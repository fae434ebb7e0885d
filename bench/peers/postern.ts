import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seedStore } from '../seed.ts';
import { freePort, type Peer, startChild, untilUp } from './peer.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Starts `postern serve` as a user would, on a fresh SQLite file that holds `keys`. */
export async function startPostern(scratch: string, keys: readonly string[]): Promise<Peer> {
  const file = join(scratch, 'postern.db');
  await seedStore(file, keys);
  const [check, admin, http] = [await freePort(), await freePort(), await freePort()];
  const child = startChild(process.execPath, [join(root, 'bin/postern.js'), 'serve'], {
    // Settings of the caller's own shell are not what is measured.
    env: {
      PATH: process.env.PATH,
      POSTERN_CHECK_LISTEN: `127.0.0.1:${check}`,
      POSTERN_ADMIN_LISTEN: `127.0.0.1:${admin}`,
      POSTERN_HTTP_LISTEN: `127.0.0.1:${http}`,
      POSTERN_STORE: `sqlite:${file}`,
      POSTERN_ADMIN_KEY: randomBytes(32).toString('hex'),
    },
    cwd: scratch,
    log: join(scratch, 'postern.log'),
  });
  const get = (path: string) => fetch(`http://127.0.0.1:${http}${path}`);
  await untilUp(child, async () => (await get('/readyz')).ok);
  return {
    name: 'postern',
    port: check,
    pid: child.process.pid ?? 0,
    misses: async () => sumLoads(await (await get('/metrics')).text()),
    output: child.output,
    stop: child.stop,
  };
}

function sumLoads(metrics: string): number {
  const lines = metrics.matchAll(/^postern_cache_lookups_total\{[^}]*result="load"[^}]*\} (\S+)$/gm);
  return lines.reduce((sum, [, count]) => sum + Number(count), 0);
}
