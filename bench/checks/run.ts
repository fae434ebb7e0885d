import type { PhaseResult } from '../client/load.ts';
import { isListed } from '../client/order.ts';
import { readProcessorTime, readResidentBytes } from '../common/processor-time.ts';
import type { Peer } from '../peers/peer.ts';
import { disturbance, isAlone } from '../report/doubts.ts';
import { type Failure, reasonOf } from '../report/failures.ts';
import { groupTitle, scenarioTitle } from '../report/markdown.ts';
import type { Round, ScenarioResult } from './rounds.ts';
import { type Group, restSeconds, type Scenario, scenarioName, warmupOf } from './scenario.ts';
import { askForEachOnce, check, prepare, type Run, takeTurn } from './turn.ts';
import { isPlainHit, type MemoryResult, weigh, weighEmpty } from './weigh.ts';

export interface RunResult {
  readonly scenarios: readonly ScenarioResult[];
  readonly memory: readonly MemoryResult[];
  readonly failed: readonly Failure[];
}

/**
 * Starts the group's peers, measures its scenarios in turn, and stops the peers. What fails takes nothing with it: a
 * scenario no other, and peers that do not start no other group.
 */
export async function runGroup(run: Run, group: Group): Promise<RunResult> {
  try {
    return await measureGroup(run, group);
  } catch (error) {
    return { scenarios: [], memory: [], failed: [failure(run, group, groupTitle(group), error)] };
  }
}

async function measureGroup(run: Run, group: Group): Promise<RunResult> {
  const { options, stage } = run;
  const isWeighed = options.memory && group.title === 'Checks' && group.scenarios.some(isPlainHit);
  const empty = isWeighed ? await weighEmpty(run, group) : new Map<string, number[]>();
  const where = group.throughEnvoy ? ', each behind an Envoy' : '';
  run.say(`\nstarting peers with ${group.keys} keys${where}: ${group.title}`);
  const peers = await stage.start(group);
  try {
    const started = new Map(peers.map(({ name, pid }) => [name, readResidentBytes(pid)]));
    if (!group.scenarios.some(({ isFromStart }) => isFromStart))
      await Promise.all(peers.map((peer) => peer.settled()));
    const scenarios: ScenarioResult[] = [];
    const failed: Failure[] = [];
    const known = new Set<string>();
    for (const scenario of group.scenarios) {
      run.say(scenarioName(scenario));
      try {
        scenarios.push(await runScenario(run, { group, scenario, peers, known }));
      } catch (error) {
        failed.push(failure(run, group, scenarioTitle({ group, scenario }), error));
      }
    }
    return { scenarios, memory: weigh(scenarios, { empty, started }), failed };
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
  }
}

function failure(run: Run, { title: section }: Group, row: string, error: unknown): Failure {
  run.say(`failed: ${error instanceof Error ? error.message : error}`);
  return { section, row, reason: reasonOf(error) };
}

interface Asked {
  readonly group: Group;
  readonly scenario: Scenario;
  readonly peers: readonly Peer[];
  /** Kinds whose every key was asked for already. */
  readonly known: Set<string>;
}

async function runScenario(run: Run, asked: Asked): Promise<ScenarioResult> {
  const { group, scenario } = asked;
  const { title, throughEnvoy, keys, store } = group;
  const peers = asked.peers.filter((peer) => peer.answer(peer.presents(scenario.kind)) !== null);
  if (!isListed(scenario.order)) await warmUp(run, { ...asked, peers });
  const missesBefore = await Promise.all(peers.map((peer) => peer.misses()));
  const turns = peers.map((): Turn[] => []);
  // A turn of keys that are asked for once cannot be had again.
  const most = isListed(scenario.order) ? scenario.rounds : 2 * scenario.rounds;
  for (let round = 0; round < most && quietRounds(turns) < scenario.rounds; round++) {
    for (const [at, peer] of peers.entries()) {
      const beganNs = readProcessorTime(peer.pid).ranNs;
      turns[at]?.push({ beganNs, result: await takeTurn(run, { ...asked, peer, round }) });
    }
  }
  await new Promise((resolve) => setTimeout(resolve, restSeconds(scenario, throughEnvoy) * 1_000));
  const kept = quietest(turns, scenario.rounds);
  const missesAfter = await Promise.all(peers.map((peer) => peer.misses()));
  const results = peers.map(({ name, pid }, at) => {
    const [before, after] = [missesBefore[at], missesAfter[at]];
    const misses = typeof before === 'number' && typeof after === 'number' ? after - before : null;
    const rounds = roundsOf(turns[at] ?? [], readProcessorTime(pid).ranNs);
    return { name, rounds: rounds.filter((_, round) => kept.has(round)), misses };
  });
  return { group: { title, throughEnvoy, keys, store }, scenario, peers: results };
}

/** Asks each peer for each key once, where that was not done, and then as the scenario does for a while. */
async function warmUp(run: Run, { group, scenario, peers, known }: Asked): Promise<void> {
  const isNew = !known.has(scenario.kind);
  const seconds = warmupOf(scenario, known.size === 0);
  known.add(scenario.kind);
  for (const peer of peers) {
    if (isNew) {
      await prepare(run, { group, scenario, peer });
      check(peer, await run.generator.run(askForEachOnce(scenario, peer, group.store)));
    }
    if (scenario.client === 'ghz') continue;
    const turn = { ...scenario, seconds, rounds: 1, atWindow: false };
    await takeTurn(run, { group, scenario: turn, peer, round: 0 });
  }
}

interface Turn {
  /** The server's time when it began. */
  readonly beganNs: number;
  readonly result: PhaseResult;
}

/** Rounds in which nobody's turn was disturbed. */
function quietRounds(turns: readonly (readonly Turn[])[]): number {
  const rounds = turns[0]?.length ?? 0;
  const isQuietRound = (round: number) => turns.every((peer) => isAlone((peer[round] as Turn).result));
  return Array.from({ length: rounds }, (_, round) => round).filter(isQuietRound).length;
}

/** The places of the rounds that were disturbed least; each is of all peers, so that turns can be compared. */
function quietest(turns: readonly (readonly Turn[])[], count: number): ReadonlySet<number> {
  const worst = (round: number) =>
    Math.max(...turns.map((peer) => disturbance((peer[round] as Turn).result)));
  const rounds = Array.from({ length: turns[0]?.length ?? 0 }, (_, round) => round);
  return new Set(rounds.toSorted((one, other) => worst(one) - worst(other)).slice(0, count));
}

function roundsOf(turns: readonly Turn[], endNs: number): Round[] {
  return turns.map(({ beganNs, result }, at) => {
    return { ...result, untilNextNs: (turns[at + 1]?.beganNs ?? endNs) - beganNs };
  });
}
