import type { PeerRounds } from './rounds.ts';
import { type Group, plainScenario, type Scenario, warmupOf } from './scenario.ts';
import { check, phase, prepare, type Run } from './turn.ts';

/** What a peer takes in RAM, in bytes. */
export interface MemoryResult {
  /** Of the Postern that was weighed, where it is not the one that the results are of. */
  readonly revision?: string | null;
  readonly name: string;
  readonly keys: number;
  /** Just started, before anybody asks. */
  readonly started: number;
  /** With one key, after the same load; read at the end of each round, as those with all keys. */
  readonly empty: readonly number[];
  readonly filled: readonly number[];
}

const emptyRounds = 3;

/** What each peer takes with one key, after a load, by its name. */
export async function weighEmpty(run: Run, group: Group): Promise<Map<string, number[]>> {
  run.say('\nweighing each peer with one key');
  const scenario: Scenario = { ...plainScenario, rounds: emptyRounds, seconds: 1 };
  const small = { ...group, keys: 1 };
  const empty = new Map<string, number[]>();
  const peers = await run.stage.start(small);
  try {
    for (const peer of peers) {
      await prepare(run, { group: small, scenario, peer });
      check(peer, await run.generator.run(phase(scenario, peer, warmupOf(scenario, true))));
      const bytes: number[] = [];
      for (let round = 0; round < scenario.rounds; round++) {
        bytes.push((await run.generator.run(phase(scenario, peer, scenario.seconds))).residentBytes);
      }
      empty.set(peer.name, bytes);
    }
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
  }
  return empty;
}

/** The part of a scenario's result that tells of memory. */
interface Shown {
  readonly group: Pick<Group, 'keys'>;
  readonly scenario: Scenario;
  readonly peers: readonly PeerRounds[];
}

interface Weighed {
  readonly empty: ReadonlyMap<string, number[]>;
  readonly started: ReadonlyMap<string, number>;
}

/** What the first scenario that can show it says of memory; nothing for peers that were not weighed empty. */
export function weigh(scenarios: readonly Shown[], { empty, started }: Weighed): MemoryResult[] {
  const first = scenarios.find(({ scenario }) => isPlainHit(scenario));
  return (first?.peers ?? []).flatMap(({ name, rounds }) => {
    const [before, atStart] = [empty.get(name), started.get(name)];
    if (first === undefined || before === undefined || atStart === undefined) return [];
    const filled = rounds.map((round) => round.residentBytes);
    return { name, keys: first.group.keys, started: atStart, empty: before, filled };
  });
}

export function isPlainHit({ kind, perSecond, order }: Scenario): boolean {
  return kind === 'hit' && perSecond === null && order === 'even';
}
