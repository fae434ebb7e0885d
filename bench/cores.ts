// How one pod uses more than one core: `npm run bench:cores`; see README.md.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freshDatabase, startReplicaSet } from '../test/real/mongod.ts';
import { allowed } from './answer.ts';
import { type Generator, startGenerator } from './generator.ts';
import { benchKeys } from './keys.ts';
import type { Phase, PhaseResult } from './load.ts';
import { readMachine } from './machine.ts';
import { table } from './markdown.ts';
import { wholeNumber } from './options.ts';
import { startEdge } from './peers/envoy.ts';
import { freePort, type Peer } from './peers/peer.ts';
import { checksAnswered, type LaunchedPostern, launchPostern } from './peers/postern.ts';
import { spreadOf, spreadText } from './report.ts';
import { seedMongo } from './seed.ts';

const usage = `usage: npm run bench:cores -- [options]
  --processes N      the most processes (2)
  --keys N           keys in MongoDB (20000)
  --rounds N         measured turns of each (3)
  --seconds N        length of a turn (5)
  --save             write the table to bench/results/cores.md (.cache/bench/results/cores.md)`;

const seed = 1;
const streams = 64;
const warmupPerSecond = 4_000;
const warmupSeconds = 3;

/** A way for Checks to reach several processes. */
interface Way {
  readonly name: string;
  readonly sharesPort: boolean;
  readonly throughEnvoy: boolean;
  readonly connections: number;
}

const ways: readonly Way[] = [
  { name: 'one port, straight, 4 connections', sharesPort: true, throughEnvoy: false, connections: 4 },
  { name: 'one port, straight, 32 connections', sharesPort: true, throughEnvoy: false, connections: 32 },
  { name: 'one port, Envoy of one worker', sharesPort: true, throughEnvoy: true, connections: 4 },
  { name: 'a port each, Envoy of one worker', sharesPort: false, throughEnvoy: true, connections: 4 },
];

interface Round extends PhaseResult {
  /** What the busiest process answered of all Checks, 0 to 1. */
  readonly busiest: number;
}

/** What all measurements share. */
interface Lab {
  readonly generator: Generator;
  readonly scratch: string;
  readonly store: string;
  readonly keys: number;
  readonly rounds: number;
  readonly seconds: number;
}

async function measureWay(lab: Lab, way: Way, processes: number): Promise<Round[]> {
  const services = await startServices(lab, way, processes);
  const pids = services.map(({ child }) => child.process.pid ?? 0);
  const ports = [...new Set(services.map(({ checkPort }) => checkPort))];
  const stopServices = async () => void (await Promise.all(services.map(({ child }) => child.stop())));
  try {
    const peer: Peer = {
      ...{
        name: way.name,
        port: ports[0] ?? 0,
        pid: pids[0] ?? 0,
        proxyPid: null,
        mention: null,
        service: null,
      },
      presents: (kind) => kind,
      ...{ protocol: 'check', answer: () => allowed, misses: async () => null, output: () => '' },
      stop: async () => {},
    };
    const asked = way.throughEnvoy
      ? await startEdge(lab.scratch, { kind: 'service', peer, ports }, false)
      : peer;
    const phase: Phase = {
      ...{ port: asked.port, pids: { server: pids, proxy: asked.proxyPid }, protocol: asked.protocol },
      ...{ streams, connections: way.connections, perSecond: null, seconds: lab.seconds },
      ...{ expected: [allowed], mention: null },
    };
    try {
      return await measureRounds(lab, phase, services);
    } finally {
      await asked.stop();
    }
  } finally {
    await stopServices();
  }
}

async function measureRounds(
  { generator, rounds }: Lab,
  phase: Phase,
  services: readonly LaunchedPostern[],
): Promise<Round[]> {
  // Each process reads the keys that it is asked for, once; which one a connection reaches is not ours to say.
  for (let pass = 0; pass < 3 * services.length; pass++) {
    await generator.run({ ...phase, seconds: null, perSecond: warmupPerSecond });
  }
  await generator.run({ ...phase, seconds: warmupSeconds });
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = await Promise.all(services.map(checksAnswered));
    const result = await generator.run(phase);
    const after = await Promise.all(services.map(checksAnswered));
    const answered = after.map((count, at) => count - (before[at] ?? 0));
    const all = answered.reduce((sum, count) => sum + count, 0);
    const wrong = Object.entries(result.unexpected).map(([name, count]) => `${count} ${name}`);
    if (wrong.length > 0) throw new Error(`wrong answers: ${wrong.join(', ')}`);
    measured.push({ ...result, busiest: Math.max(...answered) / all });
  }
  return measured;
}

/** On one port that they share, or on one each. */
async function startServices(lab: Lab, way: Way, processes: number): Promise<LaunchedPostern[]> {
  const config = join(lab.scratch, 'postern.yaml');
  writeFileSync(config, `check: { reuse_port: ${way.sharesPort}, store_timeout: 5s }\n`);
  const shared = await freePort();
  const services: LaunchedPostern[] = [];
  for (let at = 0; at < processes; at++) {
    const port = way.sharesPort ? shared : await freePort();
    const settings = {
      ...{ POSTERN_CONFIG: config, POSTERN_STORE: lab.store, POSTERN_CHECK_LISTEN: `127.0.0.1:${port}` },
    };
    services.push(await launchPostern(lab.scratch, `postern-${at}`, settings));
  }
  return services;
}

function cells(name: string, processes: number, rounds: readonly Round[]): string[] {
  const of = (value: (round: Round) => number, digits: number) =>
    spreadText(spreadOf(rounds.map(value)), digits);
  const cores = (ns: number, { seconds }: Round) => ns / 1e9 / seconds;
  return [
    name,
    String(processes),
    of(({ checks, seconds }) => checks / seconds, 0),
    of(({ server, checks }) => server.ranNs / 1_000 / checks, 1),
    of(({ busiest }) => 100 * busiest, 0),
    of((round) => cores(round.server.ranNs, round), 2),
    of((round) => cores(round.proxy?.ranNs ?? 0, round), 2),
    of((round) => cores(round.client.ranNs, round), 2),
    of(({ latencyMs }) => latencyMs.p99, 1),
  ];
}

const head = [
  ...['', 'processes', 'Checks/s', 'µs CPU/Check', 'busiest process %', 'cores of Postern', 'of Envoy'],
  ...['of the client', 'p99 ms'],
];

async function bench(): Promise<void> {
  const { values } = parseArgs({
    options: {
      processes: { type: 'string', default: '2' },
      keys: { type: 'string', default: '20000' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
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
  const mongo = await startReplicaSet({ own: true });
  const generator = await startGenerator();
  const rows: string[][] = [];
  try {
    const store = freshDatabase(mongo.uri).uri;
    await seedMongo(store, { active: benchKeys(bounds.keys, seed), revoked: [] });
    await generator.prepare({
      kind: 'hit',
      keys: bounds.keys,
      seed,
      raw: false,
      order: 'even',
      crowd: false,
    });
    for (const way of ways) {
      for (let processes = 1; processes <= most; processes++) {
        const rounds = await measureWay({ generator, scratch, store, ...bounds }, way, processes);
        rows.push(cells(way.name, processes, rounds));
        process.stdout.write(`${rows.at(-1)?.join('  ')}\n`);
      }
    }
  } finally {
    await generator.stop();
    await mongo.stop();
  }
  const { processor, cores, memoryGb, kernel, node, postern } = readMachine();
  const text = [
    '# More than one core\n\nWritten by `npm run bench:cores`; [how to read it](../README.md#more-than-one-core).',
    `${new Date().toISOString().slice(0, 10)}, on ${processor}, ${cores} cores, ${memoryGb} GB, ${kernel}; Node ${node}, Postern ${postern ?? 'of no revision'}. All on these cores, placed by the scheduler: the processes, the client, and where there is one, Envoy; ${streams} streams.`,
    table(head, rows),
  ].join('\n\n');
  const folder = fileURLToPath(new URL(values.save ? 'results' : '../.cache/bench/results', import.meta.url));
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
