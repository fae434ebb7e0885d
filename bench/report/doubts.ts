import type { Scenario } from '../checks/scenario.ts';
import type { PhaseResult } from '../client/load.ts';

/** Parts of one core, 0 to 1. */
const clientLimit = 0.9;
const serverIdle = 0.85;
const disturbedFrom = 0.1;
const stolenFrom = 0.02;
/** Of all that was due, 0 to 1. */
const owedFrom = 0.01;

/**
 * What there is to doubt in a row, a few words each: whether the client, and not the server, set the rate; whether
 * something else had the machine; whether a constant rate was not kept. One stream leaves a server idle by itself.
 */
export function doubts(
  { rounds }: { readonly rounds: readonly PhaseResult[] },
  { streams, perSecond }: Pick<Scenario, 'streams' | 'perSecond'>,
): string[] {
  const found: string[] = [];
  const tell = (what: string, held: readonly PhaseResult[], most?: (round: PhaseResult) => number) => {
    if (held.length === 0) return;
    const extent = most ? ` up to ${(100 * Math.max(...held.map(most))).toFixed(0)} %` : '';
    found.push(
      `${what}${extent}${held.length < rounds.length ? ` (${held.length} of ${rounds.length})` : ''}`,
    );
  };
  if (perSecond === null) {
    const below = rounds.filter((round) => serving(round) + taken(round) < serverIdle);
    const clientBound = below.filter((round) => share(round, round.client.ranNs) >= clientLimit);
    tell('client at its limit, rate too low', clientBound);
    const idle = streams === 1 ? [] : below.filter((round) => !clientBound.includes(round));
    tell('server idle at times, rate too low', idle);
  } else {
    tell(
      'rate not kept',
      rounds.filter((round) => round.owed > owedFrom * perSecond * round.seconds),
    );
  }
  tell(
    'others on the machine',
    rounds.filter((round) => others(round) > disturbedFrom),
    others,
  );
  tell(
    'stolen by the host',
    rounds.filter((round) => stolen(round) > stolenFrom),
    stolen,
  );
  return found;
}

/** The server, and the proxy before it, which share a core. */
function serving(round: PhaseResult): number {
  return share(round, round.server.ranNs + (round.proxy?.ranNs ?? 0));
}

/** Threads of one server wait for each other too: only what it did not use itself was taken from it. */
function taken(round: PhaseResult): number {
  const waitedNs = round.server.waitedNs + (round.proxy?.waitedNs ?? 0);
  return Math.max(0, Math.min(share(round, waitedNs), 1 - serving(round)));
}

/** What else ran on all cores: none of the benchmark's own processes. */
function others({ machine, bench, seconds }: PhaseResult): number {
  return Math.max(0, (machine.busyNs - bench.ranNs) / 1e9 / seconds);
}

/** Whether nothing else ran on the machine in a turn. */
export function isAlone(round: PhaseResult): boolean {
  return others(round) <= disturbedFrom;
}

/** The same, on cores that the host gave to the machine, so that its times may be believed. */
export function isQuiet(round: PhaseResult): boolean {
  return isAlone(round) && stolen(round) <= stolenFrom;
}

/** How far a turn was from that, to choose the quietest by. */
export function disturbance(round: PhaseResult): number {
  return others(round) + stolen(round);
}

function stolen(round: PhaseResult): number {
  return share(round, round.machine.stolenNs);
}

function share(round: PhaseResult, ns: number): number {
  return ns / 1e9 / round.seconds;
}
