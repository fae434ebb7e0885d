import type { Round } from '../../bench/checks/rounds.ts';

/** A round of one second that nothing is wrong with: 10 000 Checks, the server busy, the client half so. */
export function roundOf(changes: Partial<Round> = {}): Round {
  const { server, proxy, client } = { ...usual, ...changes };
  const ranNs = server.ranNs + (proxy?.ranNs ?? 0) + client.ranNs;
  return {
    ...usual,
    bench: { ranNs, waitedNs: 0 },
    ...changes,
  };
}

const usual: Omit<Round, 'bench'> = {
  checks: 10_000,
  answered: 10_000,
  untilNextNs: 0.99e9,
  seconds: 1,
  latencyMs: { p50: 1, p99: 2, p999: 3 },
  owed: 0,
  server: { ranNs: 0.99e9, waitedNs: 0 },
  proxy: null,
  client: { ranNs: 0.5e9, waitedNs: 0 },
  machine: { busyNs: 1.49e9, stolenNs: 0 },
  residentBytes: 100e6,
  unexpected: {},
};
