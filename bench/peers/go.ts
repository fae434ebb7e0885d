import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { allowed } from '../answer.ts';
import { hexDigests } from '../keys.ts';
import { freePort, type Peer, startChild, untilUp } from './peer.ts';

const source = fileURLToPath(new URL('go', import.meta.url));

/** The version of Go that is installed, or null. */
export function goVersion(): string | null {
  const { status, stdout } = spawnSync('go', ['env', 'GOVERSION'], { cwd: source, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** Builds the Go peer into `cache` and starts it on one processor with `keys`. */
export async function startGo(cache: string, scratch: string, keys: readonly string[]): Promise<Peer> {
  mkdirSync(cache, { recursive: true });
  const binary = join(cache, 'go-ext-authz');
  const built = spawnSync('go', ['build', '-o', binary, '.'], { cwd: source, encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`go build failed:\n${built.stderr}`);
  const digests = join(scratch, 'digests');
  writeFileSync(digests, hexDigests(keys));
  const port = await freePort();
  const child = startChild(binary, ['-listen', `127.0.0.1:${port}`, '-digests', digests], {
    env: { PATH: process.env.PATH, GOMAXPROCS: '1' },
    cwd: scratch,
    log: join(scratch, 'go.log'),
  });
  await untilUp(child, async () => child.output().startsWith('listening'));
  return {
    name: 'go',
    port,
    pid: child.process.pid ?? 0,
    proxyPid: null,
    protocol: 'check',
    mention: 'x-postern-key-id',
    answer(kind) {
      if (kind === 'permission') return null;
      return kind === 'hit' ? allowed : 401;
    },
    misses: async () => null,
    output: child.output,
    stop: child.stop,
  };
}
