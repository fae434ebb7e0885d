import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { allowed } from './answer.ts';
import { type Generator, startGenerator } from './generator.ts';
import { benchKeys } from './keys.ts';
import type { PhaseResult } from './load.ts';
import { type Options, readOptions, usage } from './options.ts';
import { goVersion, startGo } from './peers/go.ts';
import type { Peer } from './peers/peer.ts';
import { startPostern } from './peers/postern.ts';
import { allowedCores, pin } from './processor-time.ts';
import { type PeerRounds, report } from './report.ts';

const cache = fileURLToPath(new URL('../.cache/bench', import.meta.url));

/** Runs the benchmark; whatever was started is stopped, and whatever was written outside `cache` removed. */
async function bench(options: Options): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  const started: { stop(): Promise<void> }[] = [];
  const end = async () => {
    await Promise.all(started.map((one) => one.stop()));
    rmSync(scratch, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => end().finally(() => process.exit(1)));
  }
  try {
    const generator = await startGenerator(options);
    started.push(generator);
    const peers: Peer[] = [];
    for (const name of options.peers) {
      const peer = await startPeer(name, scratch, options);
      if (peer === null) continue;
      started.push(peer);
      peers.push(peer);
    }
    say(describeRun(options, place(options, generator, peers)));
    await warm(options, generator, peers);
    await measure(options, generator, peers);
  } finally {
    await end();
  }
}

async function startPeer(name: string, scratch: string, options: Options): Promise<Peer | null> {
  const keys = benchKeys(options.keys, options.seed);
  if (name === 'postern') return startPostern(scratch, keys);
  if (goVersion() !== null) return startGo(cache, scratch, keys);
  say('Go is not installed: no Go peer, and so no ratio.');
  return null;
}

/** Gives the servers one core and the client another, where there are two; says how they are placed. */
function place(options: Options, generator: Generator, peers: readonly Peer[]): string {
  const [serverCore, clientCore] = allowedCores();
  if (!options.pin || serverCore === undefined || clientCore === undefined) return 'placed by the scheduler';
  const pinned = [pin(generator.pid, clientCore), ...peers.map((peer) => pin(peer.pid, serverCore))];
  return pinned.every(Boolean) ? 'server and client on a core each' : 'placed by the scheduler (no taskset)';
}

function describeRun(options: Options, placing: string): string {
  const { kind, keys, streams, connections, rounds, seconds, raw } = options;
  return [
    `${kind} of ${keys} keys, ${streams} streams on ${connections} connections`,
    `${rounds} rounds of ${seconds} s after ${options.warmupSeconds} s of warm-up`,
    `headers as a ${raw ? 'header_map' : 'map'}; ${placing}`,
    Object.values(machine()).join(', '),
  ].join('\n');
}

function machine() {
  const processor = cpus()[0]?.model ?? 'unknown processor';
  return { processor, node: `Node ${process.versions.node}`, go: goVersion() ?? 'no Go' };
}

/** Asks for every key once, judging each answer in full, and then loads each peer as it will be measured. */
async function warm(options: Options, generator: Generator, peers: readonly Peer[]): Promise<void> {
  for (const peer of peers) {
    const mention = options.kind === 'hit' ? 'x-postern-key-id' : null;
    check(peer, await generator.run(phase(options, peer, null, mention)));
    check(peer, await generator.run(phase(options, peer, options.warmupSeconds, null)));
    say(`${peer.name}: every key asked for once, then ${options.warmupSeconds} s of load; all answers right`);
  }
}

async function measure(options: Options, generator: Generator, peers: readonly Peer[]): Promise<void> {
  const results: (PeerRounds & { readonly rounds: PhaseResult[] })[] = peers.map(({ name }) => ({
    name,
    rounds: [],
  }));
  const missesBefore = await Promise.all(peers.map((peer) => peer.misses()));
  for (let round = 0; round < options.rounds; round++) {
    for (const [at, peer] of peers.entries()) {
      const result = await generator.run(phase(options, peer, options.seconds, null));
      check(peer, result);
      results[at]?.rounds.push(result);
    }
  }
  say(`\n${report(results)}`);
  for (const [at, peer] of peers.entries()) {
    const misses = await peer.misses();
    if (misses !== null) say(`${peer.name}: ${misses - (missesBefore[at] ?? 0)} lookups missed its memory`);
  }
  if (options.json !== null)
    writeFileSync(options.json, `${JSON.stringify({ machine: machine(), options, results }, null, 2)}\n`);
}

function phase(options: Options, { port, pid }: Peer, seconds: number | null, mention: string | null) {
  return { port, pid, seconds, mention, expected: options.kind === 'hit' ? allowed : 401 };
}

function check(peer: Peer, { unexpected }: PhaseResult): void {
  const wrong = Object.entries(unexpected).map(([name, count]) => `${count} ${name}`);
  if (wrong.length === 0) return;
  const lastLine = peer.output().trimEnd().split('\n').at(-1)?.slice(0, 500);
  throw new Error(`${peer.name} gave wrong answers: ${wrong.join(', ')}; its log ends in:\n${lastLine}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  await bench(readOptions(process.argv.slice(2)));
} catch (cause) {
  process.stderr.write(`bench: ${(cause as Error).message}\n${isUsage(cause) ? `${usage}\n` : ''}`);
  process.exitCode = 1;
}

function isUsage(cause: unknown): boolean {
  return (
    (cause as Error).message.startsWith('--') ||
    (cause as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true
  );
}
