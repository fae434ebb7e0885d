/**
 * Room `controller/`: What makes Postern's keys, owners and roles what objects in Kubernetes ask for, as one who calls
 * both. Here: the reconciliation of each kind, the election of the one controller that works, what it asks a cluster.
 * Not here: what the service itself does, which is asked as by any other caller.
 */

import type { AdminApi } from './admin.ts';
import type { Cluster } from './cluster/cluster.ts';
import { createElection } from './cluster/election.ts';
import { problemOf } from './problem.ts';
import { type ControllerLog, createTerm } from './term.ts';

export interface Controller {
  /** Works whenever this controller leads, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  isLeading(): boolean;
}

export interface ControllerOptions {
  /** Whose ApiKeys it looks after; null for all. */
  readonly namespace: string | null;
  /** What this controller is called in the Lease. */
  readonly identity: string;
  readonly log: ControllerLog;
  readonly onLook: (kind: string, result: 'ok' | 'failed') => void;
  /** Milliseconds, never set back. */
  readonly monotonic: () => number;
}

const leaseName = 'postern-controller';

export function createController(cluster: Cluster, admin: AdminApi, options: ControllerOptions): Controller {
  const { log, identity, monotonic } = options;
  const onTrouble = (error: unknown) => log.warn(problemOf(error), 'the API server could not be asked');
  const election = createElection(cluster, { name: leaseName, identity, monotonic, onTrouble });

  return {
    isLeading: election.isLeading,
    run: (signal) =>
      election.run(async (leading) => {
        log.info({ identity }, 'leading');
        await createTerm(cluster, admin, { ...options, onTrouble }).run(leading);
        log.info({ identity }, 'leading no more');
      }, signal),
  };
}
