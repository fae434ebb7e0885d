import type { Generator } from './generator.ts';
import type { Phase, PhaseResult } from './load.ts';
import type { Options } from './options.ts';
import type { Peer } from './peers/peer.ts';
import { readProcessorTime } from './processor-time.ts';
import { type Group, type Scenario, scenarioName, warmupSeconds } from './scenario.ts';
import type { Stage } from './stage.ts';

/** A turn, and what it left to be done. */
export interface Round extends PhaseResult {
  /** The server's time from the start of this turn to that of its next, or to {@link restSeconds} after the last. */
  readonly untilNextNs: number;
}

/** One peer's turns in a scenario, in order. */
export interface PeerRounds {
  readonly name: string;
  readonly rounds: readonly Round[];
  /** Lookups, in all rounds, that its memory could not answer; null where it does not count them. */
  readonly misses: number | null;
}

export interface ScenarioResult {
  readonly throughEnvoy: boolean;
  readonly keys: number;
  readonly scenario: Scenario;
  readonly peers: readonly PeerRounds[];
}

/** What a peer takes in RAM, in bytes, read at the end of each round. */
export interface MemoryResult {
  readonly name: string;
  readonly keys: number;
  /** With one key, after the same load. */
  readonly empty: readonly number[];
  readonly filled: readonly number[];
}

export interface RunResult {
  readonly scenarios: readonly ScenarioResult[];
  readonly memory: readonly MemoryResult[];
}

interface Run {
  readonly options: Options;
  readonly stage: Stage;
  readonly generator: Generator;
  readonly say: (text: string) => void;
}

/** Starts the group's peers, measures its scenarios in turn, and stops the peers. */
export async function runGroup(run: Run, group: Group): Promise<RunResult> {
  const { options, stage } = run;
  const isWeighed = options.memory && !group.throughEnvoy && group.scenarios.some(isPlainHit);
  const empty = isWeighed ? await weighEmpty(run) : new Map<string, number[]>();
  run.say(`\nstarting peers with ${group.keys} keys${group.throughEnvoy ? ', each behind an Envoy' : ''}`);
  const peers = await stage.start(group.keys, group.throughEnvoy);
  try {
    const scenarios: ScenarioResult[] = [];
    const known = new Set<string>();
    for (const scenario of group.scenarios) {
      run.say(scenarioName(scenario));
      scenarios.push(await runScenario(run, { group, scenario, peers, known }));
    }
    return { scenarios, memory: weigh(scenarios, empty) };
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
  }
}

interface Asked {
  readonly group: Group;
  readonly scenario: Scenario;
  readonly peers: readonly Peer[];
  /** Kinds whose every key was asked for already. */
  readonly known: Set<string>;
}

async function runScenario({ options, generator }: Run, asked: Asked): Promise<ScenarioResult> {
  const { group, scenario, known } = asked;
  const { keys, throughEnvoy } = group;
  const peers = asked.peers.filter((peer) => peer.answer(scenario.kind) !== null);
  await generator.prepare({ kind: scenario.kind, keys, seed: options.seed, raw: options.raw });
  const isNew = !known.has(scenario.kind);
  for (const peer of peers) {
    if (isNew) check(peer, await generator.run(askForEachOnce(scenario, peer)));
    const seconds = known.size === 0 ? warmupSeconds.first : warmupSeconds.later;
    check(peer, await generator.run(phase(scenario, peer, seconds)));
  }
  known.add(scenario.kind);
  await rest();
  const missesBefore = await Promise.all(peers.map((peer) => peer.misses()));
  const turns = peers.map((): Turn[] => []);
  for (let round = 0; round < scenario.rounds; round++) {
    for (const [at, peer] of peers.entries()) {
      const beganNs = readProcessorTime(peer.pid).ranNs;
      const result = await generator.run(phase(scenario, peer, scenario.seconds));
      check(peer, result);
      turns[at]?.push({ beganNs, result });
    }
  }
  await rest();
  const rounds = peers.map(({ pid }, at) => roundsOf(turns[at] ?? [], readProcessorTime(pid).ranNs));
  const missesAfter = await Promise.all(peers.map((peer) => peer.misses()));
  const results = peers.map(({ name }, at) => {
    const [before, after] = [missesBefore[at], missesAfter[at]];
    const misses = typeof before === 'number' && typeof after === 'number' ? after - before : null;
    return { name, rounds: rounds[at] ?? [], misses };
  });
  return { throughEnvoy, keys, scenario, peers: results };
}

/** More than Postern's usage_flush_interval and a half: what is known of the use of keys is written by then. */
const restSeconds = 9;

interface Turn {
  /** The server's time when it began. */
  readonly beganNs: number;
  readonly result: PhaseResult;
}

function roundsOf(turns: readonly Turn[], endNs: number): Round[] {
  return turns.map(({ beganNs, result }, at) => {
    return { ...result, untilNextNs: (turns[at + 1]?.beganNs ?? endNs) - beganNs };
  });
}

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, restSeconds * 1_000));
}

function phase(scenario: Scenario, peer: Peer, seconds: number | null): Phase {
  const { streams, connections, perSecond } = scenario;
  return {
    port: peer.port,
    pids: { server: [peer.pid], proxy: peer.proxyPid },
    protocol: peer.protocol,
    ...{ streams, connections, perSecond, seconds, mention: null },
    expected: peer.answer(scenario.kind) ?? Number.NaN,
  };
}

/** Within the reads that Postern spends, each second, on keys that nobody made. */
const strangersPerSecond = 1_000;

/** Judges each answer in full. */
function askForEachOnce(scenario: Scenario, peer: Peer): Phase {
  const mention = scenario.kind === 'hit' ? peer.mention : null;
  const perSecond = scenario.kind === 'miss' ? strangersPerSecond : null;
  return { ...phase(scenario, peer, null), streams: 32, connections: 1, mention, perSecond };
}

function check(peer: Peer, { unexpected }: PhaseResult): void {
  const wrong = Object.entries(unexpected).map(([name, count]) => `${count} ${name}`);
  if (wrong.length === 0) return;
  const lastLine = peer.output().trimEnd().split('\n').at(-1)?.slice(0, 500);
  throw new Error(`${peer.name} gave wrong answers: ${wrong.join(', ')}; its log ends in:\n${lastLine}`);
}

const emptyRounds = 3;

async function weighEmpty(run: Run): Promise<Map<string, number[]>> {
  const { options, stage, generator } = run;
  run.say('\nweighing each peer with one key');
  const scenario: Scenario = {
    ...{ kind: 'hit', streams: 64, connections: 4, perSecond: null, rounds: emptyRounds, seconds: 1 },
  };
  const empty = new Map<string, number[]>();
  const peers = await stage.start(1, false);
  try {
    await generator.prepare({ kind: 'hit', keys: 1, seed: options.seed, raw: options.raw });
    for (const peer of peers) {
      check(peer, await generator.run(phase(scenario, peer, warmupSeconds.first)));
      const bytes: number[] = [];
      for (let round = 0; round < scenario.rounds; round++) {
        bytes.push((await generator.run(phase(scenario, peer, scenario.seconds))).residentBytes);
      }
      empty.set(peer.name, bytes);
    }
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
  }
  return empty;
}

function weigh(scenarios: readonly ScenarioResult[], empty: ReadonlyMap<string, number[]>): MemoryResult[] {
  const first = scenarios.find(({ scenario }) => isPlainHit(scenario));
  return (first?.peers ?? []).flatMap(({ name, rounds }) => {
    const before = empty.get(name);
    if (first === undefined || before === undefined) return [];
    return { name, keys: first.keys, empty: before, filled: rounds.map((round) => round.residentBytes) };
  });
}

function isPlainHit({ kind, perSecond }: Scenario): boolean {
  return kind === 'hit' && perSecond === null;
}
