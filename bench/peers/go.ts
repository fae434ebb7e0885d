import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDigestPeer } from './digest-peer.ts';
import type { Peer } from './peer.ts';

const source = fileURLToPath(new URL('go', import.meta.url));

/** The version of Go that is installed, or null. */
export function goVersion(): string | null {
  const { status, stdout } = spawnSync('go', ['env', 'GOVERSION'], { cwd: source, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** Builds the Go peer into `cache` and starts it on so many processors with `keys`. */
export async function startGo(
  cache: string,
  scratch: string,
  { keys, processors }: { readonly keys: readonly string[]; readonly processors: number },
): Promise<Peer> {
  mkdirSync(cache, { recursive: true });
  const binary = join(cache, 'go-ext-authz');
  const built = spawnSync('go', ['build', '-o', binary, '.'], { cwd: source, encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`go build failed:\n${built.stderr}`);
  const env = { GOMAXPROCS: String(processors) };
  return startDigestPeer({ name: 'go', binary, env }, scratch, keys);
}
