import { pause } from '../pause.ts';
import { type Cluster, ClusterError } from './cluster.ts';
import { microTime } from './micro-time.ts';

/** Of several controllers, one that works at a time. */
export interface Election {
  /**
   * Does the work while this one leads, again and again, until the signal aborts. The work ends as soon as it can when
   * its own signal does; the lease is then given up, so that another need not wait for its end.
   */
  run(work: (leading: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
  isLeading(): boolean;
}

export interface ElectionOptions {
  /** The name of the Lease, in the context's namespace. */
  readonly name: string;
  /** What this one is called in it. */
  readonly identity: string;
  /** Milliseconds, never set back. */
  readonly monotonic: () => number;
  readonly onTrouble: (error: unknown) => void;
}

interface LeaseSpec {
  readonly holderIdentity?: string | null;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

interface Lease {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec?: LeaseSpec;
}

/** How long others wait for a leader that says nothing. */
const leaseMs = 15_000;
/** A leader that could not renew for so long stops: before others may begin. */
const renewedMsMax = 10_000;
const everyMs = 2_000;

/** As client-go elects: by when a record was seen to change on one's own clock, so that no two clocks are compared. */
export function createElection(cluster: Cluster, options: ElectionOptions): Election {
  const { name, identity, monotonic, onTrouble } = options;
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(cluster.namespace)}/leases`;
  const path = `${collection}/${encodeURIComponent(name)}`;
  /** The lease of another, as it was last seen to change, and when. */
  let seen = { version: '', at: 0 };
  let leads = false;

  return {
    isLeading: () => leads,
    async run(work, signal) {
      while (!signal.aborted) {
        if (await tries()) await lead(work, signal);
        else await pause(everyMs, signal);
      }
    },
  };

  async function lead(work: (leading: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const lost = new AbortController();
    const leading = AbortSignal.any([signal, lost.signal]);
    leads = true;
    const ended = work(leading).finally(() => lost.abort());
    let renewedAt = monotonic();
    while (!leading.aborted) {
      await pause(everyMs, leading);
      if (leading.aborted) break;
      const at = monotonic();
      if (await tries()) renewedAt = at;
      // Another has it, or nobody knows: then it may be another's soon.
      else if (seen.version !== '' || monotonic() - renewedAt > renewedMsMax) lost.abort();
    }
    leads = false;
    await ended;
    await giveUp();
  }

  /** Whether this one has the lease from now on. */
  async function tries(): Promise<boolean> {
    try {
      return await acquire();
    } catch (error) {
      // Another was faster.
      if (error instanceof ClusterError && error.status === 409) return false;
      seen = { version: '', at: 0 };
      onTrouble(error);
      return false;
    }
  }

  async function acquire(): Promise<boolean> {
    const lease = await read();
    const now = microTime();
    const mine = { holderIdentity: identity, leaseDurationSeconds: leaseMs / 1_000, renewTime: now };
    if (lease === null) {
      const spec = { ...mine, acquireTime: now, leaseTransitions: 0 };
      const kind = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
      await cluster.call('POST', collection, { ...kind, metadata: { name }, spec });
      return true;
    }
    const { metadata, spec = {} } = lease;
    const isMine = spec.holderIdentity === identity;
    if (!isMine && spec.holderIdentity && !isOver(lease)) return false;
    const taken = isMine ? {} : { acquireTime: now, leaseTransitions: (spec.leaseTransitions ?? 0) + 1 };
    await cluster.call('PUT', path, { ...lease, metadata, spec: { ...spec, ...mine, ...taken } });
    seen = { version: '', at: 0 };
    return true;
  }

  /** Whether another's lease did not change for as long as it lasts. */
  function isOver({ metadata: { resourceVersion }, spec = {} }: Lease): boolean {
    if (seen.version !== resourceVersion) seen = { version: resourceVersion, at: monotonic() };
    return monotonic() - seen.at > (spec.leaseDurationSeconds ?? leaseMs / 1_000) * 1_000;
  }

  async function giveUp(): Promise<void> {
    try {
      const lease = await read();
      if (lease?.spec?.holderIdentity !== identity) return;
      const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime() };
      await cluster.call('PUT', path, { ...lease, spec });
    } catch (error) {
      onTrouble(error);
    }
  }

  async function read(): Promise<Lease | null> {
    try {
      return (await cluster.call('GET', path)) as Lease;
    } catch (error) {
      if (error instanceof ClusterError && error.status === 404) return null;
      throw error;
    }
  }
}
