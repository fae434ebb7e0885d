import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDigestPeer } from './digest-peer.ts';
import type { Peer } from './peer.ts';

export const rustPeers = ['tonic', 'pajamax'] as const;
export type RustPeer = (typeof rustPeers)[number];

export function isRustPeer(name: string): name is RustPeer {
  return rustPeers.some((peer) => peer === name);
}

const source = fileURLToPath(new URL('rust', import.meta.url));

/** The version of the Rust compiler that Cargo builds with, or null. */
export function rustVersion(): string | null {
  const run = (command: string) => spawnSync(command, ['--version'], { cwd: source, encoding: 'utf8' });
  const compiler = run('rustc');
  const isThere = run('cargo').status === 0 && compiler.status === 0;
  return isThere ? (/^rustc (\S+)/.exec(compiler.stdout)?.[1] ?? null) : null;
}

/** Builds both into `cache`, once; answers why that failed, or null. */
export function buildRust(cache: string): string | null {
  const args = ['build', '--release', '--locked', '--quiet'];
  const env = { ...process.env, CARGO_TARGET_DIR: join(cache, 'rust') };
  const { status, stderr } = spawnSync('cargo', args, { cwd: source, env, encoding: 'utf8' });
  return status === 0 ? null : stderr.trim();
}

/** Starts one that {@link buildRust} has built into `cache`, on so many threads where it lets one choose, with `keys`. */
export async function startRust(
  name: RustPeer,
  { cache, scratch }: { readonly cache: string; readonly scratch: string },
  { keys, processors }: { readonly keys: readonly string[]; readonly processors: number },
): Promise<Peer> {
  const binary = join(cache, 'rust/release', `${name}-peer`);
  return startDigestPeer({ name, binary, args: ['-threads', String(processors)] }, scratch, keys);
}
