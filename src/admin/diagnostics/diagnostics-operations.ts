import type { KeyPolicy } from '../../check/policy.ts';
import type { Digester } from '../../keys/secret.ts';
import { error, type Finding } from '../../store/diagnosis/finding.ts';
import type { KeyCounts, ReplicaLag } from '../../store/diagnosis/standing.ts';
import { type Store, StoreUnavailable } from '../../store/store.ts';
import { version } from '../../version.ts';
import { type Call, requireUnbound } from '../call.ts';
import { findAccessTrouble, type WaysIn } from './admin-access.ts';
import { findPlanTrouble } from './plan-trouble.ts';
import { findRuleTrouble } from './rule-trouble.ts';

/** How the service stands, as far as it can tell by itself. */
export interface Diagnostics {
  /** Of the package that answers. */
  readonly version: string;
  /** `sqlite` or `mongodb`. */
  readonly store: string;
  /** Whether it answers. */
  readonly storeReachable: boolean;
  /** Null while the store is away. */
  readonly keys: KeyCounts | null;
  /** Those that may answer from memory, this one among them; this one alone while the store is away. */
  readonly replicas: readonly ReplicaLag[];
  /** How long the process that answers has served, milliseconds. */
  readonly uptimeMs: number;
  /** The clock of the process that answers, Unix milliseconds. */
  readonly now: number;
  /** Those that are configured, in their order, then none, then those that only keys know of; none while the store is away. */
  readonly peppers: readonly PepperUse[];
  /** Of the store, the replicas that share it, who may change everything, and plans that nobody knows. */
  readonly findings: readonly Finding[];
}

export interface PepperUse {
  /** Empty for none. */
  readonly id: string;
  /** Keys whose digest was made with it. */
  readonly keys: number;
  /** Whether those keys can be recognised. */
  readonly configured: boolean;
  /** Whether new keys, and those that are used, get their digest by it. */
  readonly signing: boolean;
}

export interface DiagnosticsOperations {
  /** PERMISSION_DENIED for an admin key that has an owner. That the store is away is a finding, not a failure. */
  getDiagnostics(call: Call): Promise<Diagnostics>;
}

export interface DiagnosticsDependencies {
  readonly store: Pick<
    Store,
    'kind' | 'countDigests' | 'countKeys' | 'listReplicas' | 'diagnose' | 'listKeys' | 'listOwners'
  >;
  /** Of this process. */
  readonly replicaId: string;
  /** What holds now. */
  readonly policy: () => Pick<KeyPolicy, 'keySchemes' | 'plans' | 'keyRules'>;
  readonly digester: Digester;
  readonly waysIn: WaysIn;
  /** What this process itself has found. */
  readonly findings: () => readonly Finding[];
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic: () => number;
}

export function createDiagnosticsOperations(dependencies: DiagnosticsDependencies): DiagnosticsOperations {
  const { store, digester, waysIn, policy, now, monotonic, replicaId } = dependencies;
  const startedAt = monotonic();
  return {
    async getDiagnostics(call) {
      requireUnbound(call);
      const [ofStore, counts, ofAccess, ofPlans, ofRules, keys, replicas] = await Promise.all([
        store.diagnose().catch(awayAs([unreachable])),
        store.countDigests().catch(awayAs(null)),
        findAccessTrouble(store, waysIn, now()).catch(awayAs([])),
        findPlanTrouble(store, policy(), now()).catch(awayAs([])),
        findRuleTrouble(store, policy().keyRules, now()).catch(awayAs([])),
        store.countKeys(now()).catch(awayAs(null)),
        store.listReplicas().catch(awayAs(null)),
      ]);
      const isAway = counts === null;
      const findings = isAway && !hasError(ofStore) ? [unreachable, ...ofStore] : ofStore;
      return {
        ...{ version, store: store.kind, now: now(), storeReachable: !isAway, keys: isAway ? null : keys },
        // Where no register is kept, one process alone reads the store.
        replicas: replicas ?? [{ id: replicaId, lagMs: 0 }],
        uptimeMs: monotonic() - startedAt,
        peppers: isAway ? [] : pepperUses(digester.pepperIds, counts),
        findings: [...findings, ...ofAccess, ...ofPlans, ...ofRules, ...dependencies.findings()],
      };
    },
  };
}

const unreachable = error(
  'store.unreachable',
  'The store does not answer: known keys are answered for from memory for a while, all others with 503, and nothing can be changed.',
  'Look at the service\'s log for "cannot be reached" and "does not answer", at the database itself, and at the network between them.',
);

function hasError(findings: readonly Finding[]): boolean {
  return findings.some(({ level }) => level === 'error');
}

function awayAs<T>(otherwise: T): (thrown: unknown) => T {
  return (thrown) => {
    if (thrown instanceof StoreUnavailable) return otherwise;
    throw thrown;
  };
}

function pepperUses(configured: readonly string[], counts: ReadonlyMap<string, number>): PepperUse[] {
  // A digest under no pepper can always be recognised.
  const known = [...configured, ''];
  const others = [...counts.keys()].filter((id) => !known.includes(id)).toSorted();
  return [...known, ...others].map((id) => ({
    id,
    keys: counts.get(id) ?? 0,
    configured: known.includes(id),
    signing: id === known[0],
  }));
}
