import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const fetchMs = 600_000;

/**
 * Unpacks Debian's package of this name and others that it needs into a folder; `needed: 'what is missing'` adds
 * whatever apt would install with it on this machine. apt holds all to Debian's signature. Needs no root, and
 * installs nothing. Throws where the first of them is not to be had.
 */
export async function unpackDebian(
  folder: string,
  name: string,
  needed: readonly string[] | 'what is missing' = [],
): Promise<void> {
  try {
    await download([]);
  } catch {
    // A machine whose lists of packages are missing or old.
    const own = join(folder, 'apt');
    for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(own, part), { recursive: true });
    const ownLists = ['-o', `Dir::State::lists=${own}/lists`, '-o', `Dir::Cache=${own}`];
    await apt([...ownLists, '-o', 'Debug::NoLocking=1', 'update']);
    await download(ownLists);
    rmSync(own, { recursive: true });
  }
  for (const archive of readdirSync(folder).filter((file) => file.endsWith('.deb'))) {
    await run('dpkg-deb', ['-x', archive, '.'], { cwd: folder });
    rmSync(join(folder, archive));
  }

  async function download(options: readonly string[]): Promise<void> {
    await apt([...options, 'download', name]);
    for (const other of needed === 'what is missing' ? await missing(options) : needed)
      await apt([...options, 'download', other]).catch(() => {
        // What it needs has other names elsewhere, and may be there.
      });
  }

  async function missing(options: readonly string[]): Promise<string[]> {
    const { stdout } = await apt([...options, '--simulate', '--no-install-recommends', 'install', name]);
    const names = stdout.matchAll(/^Inst (\S+)/gm);
    return [...names].flatMap(([, other = '']) => (other === name ? [] : [other]));
  }

  function apt(args: readonly string[]) {
    return run('apt-get', args, { cwd: folder, timeout: fetchMs, maxBuffer: 64 * 1_024 * 1_024 });
  }
}

/** Where the libraries of unpacked packages are. */
export function librariesIn(folder: string): string {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return ['usr/lib', 'lib'].map((path) => join(folder, path, `${machine}-linux-gnu`)).join(':');
}
