import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

/** What a result has to be read by, and nothing else about the machine. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  /** The kernel's numbers alone: what follows them may name a machine. */
  readonly kernel: string;
  readonly node: string;
  /** Postern's git revision; a `+` follows where files differ from it. Null outside a checkout. */
  readonly postern: string | null;
}

export function readMachine(): Machine {
  const cores = cpus();
  return {
    processor: cores[0]?.model ?? 'unknown',
    cores: cores.length,
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: `Linux ${/^\d+(?:\.\d+)*/.exec(release())?.[0] ?? ''}`,
    node: process.versions.node,
    postern: revision(),
  };
}

function revision(): string | null {
  try {
    const changed = git('status', '--porcelain', '--', 'src', 'bench', ':!bench/results') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? '+' : ''}`;
  } catch {
    return null;
  }
}

function git(...args: string[]): string {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  return execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
