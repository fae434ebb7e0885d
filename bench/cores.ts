// How one service uses more than one core: `npm run bench:cores`; see README.md.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freshDatabase, startReplicaSet } from '../test/real/mongod.ts';
import { descendants } from '../test/real/processes.ts';
import { wholeNumber } from './checks/options.ts';
import { allowed } from './client/answer.ts';
import { type Generator, startGenerator } from './client/generator.ts';
import type { Phase, PhaseResult } from './client/load.ts';
import { benchKeys } from './common/keys.ts';
import { readProcessorTime } from './common/processor-time.ts';
import { busiestShare, checksPerSecond, keysInUse, writesIn } from './common/scale.ts';
import type { Peer } from './peers/peer.ts';
import { startPostern } from './peers/postern.ts';
import { isQuiet } from './report/doubts.ts';
import { readMachine } from './report/machine.ts';
import { table } from './report/markdown.ts';
import { median, spreadOf, spreadText } from './report/report.ts';

const usage = `usage: npm run bench:cores -- [options]
  --processes N      the most processes (2)
  --keys N           keys in the store, all of them in use (20000)
  --rounds N         measured turns of each (3)
  --seconds N        length of a turn (10)
  --save             write the tables to bench/results/cores.md (.cache/bench/results/cores.md)`;

const seed = 1;
const [streams, connections] = [64, 4];
const warmupSeconds = 3;
/** Keys that are read from the store, which shares the cores. */
const coldPerSecond = 4_000;
const passes = 2;
/** What is known of the use of keys is written by then. */
const restSeconds = 9;

const stores = ['SQLite', 'MongoDB'] as const;
type StoreName = (typeof stores)[number];

/** Processor time of one turn and of what it left to be done, by where it was spent, in nanoseconds. */
interface Spent {
  /** What all share: the process that has the store, hands out connections and does all else. */
  readonly service: number;
  /** Of each process that answers Checks. */
  readonly workers: readonly number[];
}

interface Round extends PhaseResult {
  readonly spent: Spent;
}

/** What all measurements share. */
interface Lab {
  readonly generator: Generator;
  readonly scratch: string;
  readonly mongo: string;
  readonly keys: number;
  readonly rounds: number;
  readonly seconds: number;
}

async function measure(lab: Lab, store: StoreName, processes: number): Promise<Round[]> {
  const folder = mkdtempSync(join(lab.scratch, 'service-'));
  const peer = await startPostern(folder, {
    ...{ name: store, processes, settings: 'check: { store_timeout: 5s }\n' },
    mongo: store === 'SQLite' ? null : freshDatabase(lab.mongo).uri,
    keys: { active: benchKeys(lab.keys, seed), revoked: [] },
  });
  try {
    return await measureRounds(lab, peer);
  } finally {
    await peer.stop();
  }
}

async function measureRounds({ generator, rounds, seconds }: Lab, peer: Peer): Promise<Round[]> {
  const phase: Phase = {
    ...{ port: peer.port, pids: { server: [peer.pid], proxy: null }, protocol: 'check', mention: null },
    ...{ streams, connections, perSecond: null, seconds, expected: { outcomes: [allowed], change: null } },
  };
  // Each process reads the keys that it is asked for, once; which one a connection reaches is not ours to say.
  for (let pass = 0; pass < passes; pass++) {
    await generator.run({ ...phase, seconds: null, perSecond: coldPerSecond });
  }
  await generator.run({ ...phase, seconds: warmupSeconds });
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = await spentBy(peer.pid);
    const result = await generator.run(phase);
    const wrong = Object.entries(result.unexpected).map(([name, count]) => `${count} ${name}`);
    if (wrong.length > 0) throw new Error(`wrong answers: ${wrong.join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, restSeconds * 1_000));
    const after = await spentBy(peer.pid);
    const workers = after.workers.map((ns, at) => ns - (before.workers[at] ?? 0));
    measured.push({ ...result, spent: { service: after.service - before.service, workers } });
  }
  return measured;
}

/** One process answers Checks on a thread of its own, which is not told apart here. */
async function spentBy(pid: number): Promise<Spent> {
  const below = (await descendants(pid)).map((worker) => readProcessorTime(worker.pid).ranNs);
  return { service: readProcessorTime(pid).ranNs - sum(below), workers: below };
}

function sum(values: readonly number[]): number {
  return values.reduce((before, value) => before + value, 0);
}

const head = [
  ...['', 'processes', 'Checks/s', 'µs CPU/Check, in all', 'of it shared', 'µs shared a key and write'],
  'busiest process %',
  ...['p99 ms', 'to doubt'],
];

function cells(lab: Lab, [store, processes]: [StoreName, number], rounds: readonly Round[]): string[] {
  const of = (value: (round: Round) => number, digits: number) =>
    spreadText(spreadOf(rounds.map(value)), digits);
  const isSplit = processes > 1;
  const loud = rounds.filter((round) => !isQuiet(round)).length;
  return [
    store,
    String(processes),
    of(({ checks, seconds }) => checks / seconds, 0),
    of(({ spent, answered }) => (spent.service + sum(spent.workers)) / 1_000 / answered, 1),
    isSplit ? of(({ spent, answered }) => spent.service / 1_000 / answered, 2) : '',
    isSplit ? of((round) => writeMicros(lab, round), 2) : '',
    isSplit ? of(({ spent }) => (100 * Math.max(...spent.workers)) / sum(spent.workers), 0) : '',
    of(({ latencyMs }) => latencyMs.p99, 1),
    loud === 0 ? '' : `others on the machine (${loud} of ${rounds.length})`,
  ];
}

/** Of what all share, for each key that a process tells the use of: there is little else while Checks hit memory. */
function writeMicros({ keys, seconds }: Lab, { spent }: Round): number {
  return spent.service / 1_000 / (spent.workers.length * keys * writesIn(seconds));
}

const coresShown = [4, 8, 16];

function scaleRow(lab: Lab, store: StoreName, rounds: readonly Round[]): string[] {
  const own = median(rounds.map(({ spent, answered }) => sum(spent.workers) / 1_000 / answered));
  const write = median(rounds.map((round) => writeMicros(lab, round)));
  const rounded = (value: number) => (1_000 * Math.floor(value / 1_000)).toLocaleString('en');
  return [
    ...[store, own.toFixed(1), write.toFixed(2)],
    ...coresShown.map(
      (cores) => `${rounded(checksPerSecond(cores, own))}; ${rounded(keysInUse(cores, write))}`,
    ),
  ];
}

async function bench(): Promise<void> {
  const { values } = parseArgs({
    options: {
      processes: { type: 'string', default: '2' },
      keys: { type: 'string', default: '20000' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '10' },
      save: { type: 'boolean', default: false },
    },
  });
  const most = wholeNumber('processes', values.processes);
  const bounds = {
    keys: wholeNumber('keys', values.keys),
    rounds: wholeNumber('rounds', values.rounds),
    seconds: wholeNumber('seconds', values.seconds),
  };
  const scratch = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
  const mongo = await startReplicaSet({ own: true, onDisk: true });
  const generator = await startGenerator();
  const rows: string[][] = [];
  const scaled: string[][] = [];
  try {
    const { keys } = bounds;
    await generator.prepare({ ...{ kind: 'hit', keys, seed, raw: false }, order: 'even', crowd: false });
    for (const store of stores) {
      for (let processes = 1; processes <= most; processes++) {
        const lab = { generator, scratch, mongo: mongo.uri, ...bounds };
        const rounds = await measure(lab, store, processes);
        rows.push(cells(lab, [store, processes], rounds));
        process.stdout.write(`${rows.at(-1)?.join('  ')}\n`);
        if (processes === most && most > 1) scaled.push(scaleRow(lab, store, rounds));
      }
    }
  } finally {
    await generator.stop();
    await mongo.stop();
  }
  write(values.save, [
    `All on these cores, placed by the scheduler: the processes, the client and mongod; ${streams} streams on ${connections} connections, ${bounds.keys.toLocaleString('en')} keys, each as likely as another.`,
    table(head, rows),
    `## What follows for more cores\n\nWith a process for each core, each of them ${100 * busiestShare} % busy: Checks a second; and of how many keys, all in use within five seconds, the thread that all share can write the use at ${100 * busiestShare} % of its core. Not measured: computed from the two figures beside.`,
    table(
      ['', 'µs of a Check', 'µs shared a key and write', ...coresShown.map((cores) => `${cores} cores`)],
      scaled,
    ),
  ]);
}

function write(isSaved: boolean, parts: readonly string[]): void {
  const { processor, cores, memoryGb, kernel, node, postern } = readMachine();
  const text = [
    '# More than one core\n\nWritten by `npm run bench:cores`; [how to read it](../README.md#more-than-one-core).',
    `${new Date().toISOString().slice(0, 10)}, on ${processor}, ${cores} cores, ${memoryGb} GB, ${kernel}; Node ${node}, Postern ${postern ?? 'of no revision'}.`,
    ...parts,
  ].join('\n\n');
  const folder = fileURLToPath(new URL(isSaved ? 'results' : '../.cache/bench/results', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'cores.md'), `${text}\n`);
  process.stdout.write(`\n${text}\n`);
}

try {
  await bench();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n${usage}\n`);
  process.exitCode = 1;
}
