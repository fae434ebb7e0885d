import type { PhaseResult } from '../client/load.ts';
import type { Group, Scenario } from './scenario.ts';

/** A turn, and what it left to be done. */
export interface Round extends PhaseResult {
  /** The server's time from the start of this turn to that of its next; after the last, until the scenario is left. */
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
  /** Of the Postern that was measured, where it is not the one that the results are of. */
  readonly revision?: string | null;
  readonly group: Pick<Group, 'title' | 'throughEnvoy' | 'keys' | 'store'>;
  readonly scenario: Scenario;
  readonly peers: readonly PeerRounds[];
}
