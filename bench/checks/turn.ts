import { allowed, errorBase } from '../client/answer.ts';
import type { Expected } from '../client/expected.ts';
import type { Generator } from '../client/generator.ts';
import { runGhz } from '../client/ghz.ts';
import type { Phase, PhaseResult } from '../client/load.ts';
import { isListed } from '../client/order.ts';
import { benchKeys } from '../common/keys.ts';
import type { Peer } from '../peers/peer.ts';
import { startAlongside } from './alongside.ts';
import type { Options } from './options.ts';
import type { Group, Scenario } from './scenario.ts';
import type { Stage } from './stage.ts';

/** What all measurements share. */
export interface Run {
  readonly options: Options;
  readonly stage: Stage;
  readonly generator: Generator;
  readonly say: (text: string) => void;
}

/** One peer that is asked as a scenario says. */
export interface TurnOf {
  readonly group: Group;
  readonly scenario: Scenario;
  readonly peer: Peer;
}

/** One turn; rejects when an answer is not what the kind calls for. */
export async function takeTurn(
  run: Run,
  { round, ...turn }: TurnOf & { readonly round: number },
): Promise<PhaseResult> {
  const { generator, stage, options } = run;
  const { scenario, peer } = turn;
  const { seconds, streams, connections, order, rounds, during } = scenario;
  if (scenario.client === 'ghz') {
    const [key = ''] = benchKeys(1, options.seed);
    const target = { port: peer.port, pid: peer.pid, key, streams, connections, seconds };
    const result = await runGhz(stage.ghz ?? '', target);
    check(peer, result);
    return result;
  }
  await prepare(run, turn);
  if (scenario.atWindow) await untilWindow();
  const work = during === null ? null : startAlongside(during, peer);
  const end = await work?.begun();
  const once = { ...phase(scenario, peer, null, end), part: { index: round, of: rounds } };
  const result = await generator
    .run(isListed(order) ? once : phase(scenario, peer, seconds, end))
    .finally(() => work?.stop());
  check(peer, result);
  return result;
}

/** Tells the load generator what the phases after it present. */
export async function prepare({ generator, options }: Run, { group, scenario, peer }: TurnOf): Promise<void> {
  const { order, crowd } = scenario;
  const { seed, raw } = options;
  await generator.prepare({ kind: peer.presents(scenario.kind), keys: group.keys, seed, raw, order, crowd });
}

/** Of the windows of plans that are ten seconds long; some of the turn is before it. */
const windowMs = 10_000;
const beforeWindowMs = 1_300;

async function untilWindow(): Promise<void> {
  const toNext = windowMs - ((Date.now() + beforeWindowMs) % windowMs);
  await new Promise((resolve) => setTimeout(resolve, toNext));
}

/**
 * @param seconds null: each key is asked for once
 * @param change what the answers will change to, and when, by what Postern does meanwhile
 */
export function phase(
  scenario: Scenario,
  peer: Peer,
  seconds: number | null,
  change: Expected['change'] = null,
): Phase {
  const { streams, connections, perSecond } = scenario;
  return {
    port: peer.port,
    pids: { server: [peer.pid], proxy: peer.proxyPid },
    protocol: peer.protocol,
    ...{ streams, connections, perSecond, seconds, mention: null },
    expected: { outcomes: expected(scenario, peer), change },
  };
}

/** Of a flood of keys that nobody made a Postern reads so many a second, and says of the others that it does not know. */
function expected({ kind, order }: Scenario, peer: Peer): Expected['outcomes'] {
  const answer = peer.answer(peer.presents(kind)) ?? Number.NaN;
  const isFlood = kind === 'miss' && isListed(order) && peer.service !== null;
  return isFlood ? [answer, 503, errorBase + 503] : [answer];
}

/** Within the reads that Postern spends, each second, on keys that nobody made. */
const strangersPerSecond = 1_000;

/** Keys that nobody has asked for, which MongoDB reads one by one on a core that it shares with the client. */
const coldPerSecond = 4_000;

/** Judges each answer in full. */
export function askForEachOnce(scenario: Scenario, peer: Peer, store: Group['store']): Phase {
  const mention = peer.answer(scenario.kind) === allowed ? peer.mention : null;
  const ofStore = store === 'mongodb' && peer.service !== null ? coldPerSecond : null;
  const perSecond = scenario.kind === 'miss' ? strangersPerSecond : ofStore;
  return { ...phase(scenario, peer, null), streams: 32, connections: 1, mention, perSecond };
}

/** Throws when answers were wrong. */
export function check(peer: Peer, { unexpected }: PhaseResult): void {
  const wrong = Object.entries(unexpected).map(([name, count]) => `${count} ${name}`);
  if (wrong.length === 0) return;
  const lastLine = peer.output().trimEnd().split('\n').at(-1)?.slice(0, 500);
  throw new Error(`${peer.name} gave wrong answers: ${wrong.join(', ')}; its log ends in:\n${lastLine}`);
}
