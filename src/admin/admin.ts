/**
 * Room `admin/`: The operations of KeyAdmin, apart from any wire. Here: who calls, whether they may, what they
 * may ask for, then the operation. Not here: gRPC, REST and the console, which all call these.
 */

import type { Keyring } from '../cache/keyring.ts';
import type { Guard } from '../changes/key-change.ts';
import type { EndsLastWriter } from '../changes/last-writer.ts';
import type { Registry } from '../changes/registry.ts';
import type { Authorize } from '../check/authorize.ts';
import type { KeyPolicy } from '../check/policy.ts';
import type { JournalTail } from '../events/journal-tail.ts';
import type { Refusals } from '../events/refusals.ts';
import type { Digester } from '../keys/secret.ts';
import type { ChargeLimits } from '../limits/charging.ts';
import type { Standings } from '../limits/standings.ts';
import type { Finding } from '../store/diagnosis/finding.ts';
import type { Store } from '../store/store.ts';
import { type AdmitDependencies, createAdmit } from './admit.ts';
import { type AuditOperations, createAuditOperations } from './audit-operations.ts';
import type { Call } from './call.ts';
import type { WaysIn } from './diagnostics/admin-access.ts';
import {
  createDiagnosticsOperations,
  type DiagnosticsOperations,
} from './diagnostics/diagnostics-operations.ts';
import { createHeldSecrets } from './held-secret.ts';
import type { Caller, Identity } from './identity.ts';
import { createImportOperations, type ImportOperations } from './import/import-operations.ts';
import { type BulkOperations, createBulkOperations } from './keys/bulk-operations.ts';
import { createKeyChangeOperations, type KeyChangeOperations } from './keys/key-change-operations.ts';
import { createKeyOperations, type KeyOperations } from './keys/key-operations.ts';
import { createKeyTerms } from './keys/key-terms.ts';
import { createLimitOperations, type LimitOperations } from './keys/limit-operations.ts';
import { createRuleGuard } from './keys/rule-guard.ts';
import { createShowKeys } from './keys/shown-keys.ts';
import { createLeakOperations, type LeakOperations } from './leaks/leak-operations.ts';
import { createOwnerOperations, type OwnerOperations } from './owner-operations.ts';
import {
  createPortalOperations,
  type PortalOperations,
  type PortalTerms,
} from './people/portal-operations.ts';
import { createRoleOperations, type RoleOperations } from './roles/role-operations.ts';
import { createTermsOperations, type TermsOperations } from './terms-operations.ts';
import { createRequestOperations, type RequestOperations } from './use/request-operations.ts';
import { createUsageOperations, type UsageOperations } from './use/usage-operations.ts';
import { createWatchOperations, type WatchOperations } from './watch-operations.ts';

interface Operations
  extends KeyOperations,
    KeyChangeOperations,
    BulkOperations,
    ImportOperations,
    OwnerOperations,
    RoleOperations,
    AuditOperations,
    DiagnosticsOperations,
    LeakOperations,
    LimitOperations,
    RequestOperations,
    UsageOperations,
    PortalOperations,
    TermsOperations,
    WatchOperations {}

/**
 * The admin operations, apart from any wire. Each takes its request as the contract's JSON shape (snake_case,
 * times and durations as text), checks in this order: who calls, what they may do, whether the request makes
 * sense, whether the thing exists; and throws `Failure` at the first that is not so. What is refused is in the
 * journal when it throws.
 */
export type Admin = {
  readonly [name in keyof Operations]: Operations[name] extends (
    call: Call,
    ...rest: infer Rest
  ) => infer Result
    ? (caller: Caller, ...rest: Rest) => Result
    : never;
};

export interface AdminDependencies {
  readonly identify: (caller: Caller) => Promise<Identity>;
  readonly registry: Registry;
  readonly store: Pick<
    Store,
    | 'kind'
    | 'findKey'
    | 'getKey'
    | 'listKeys'
    | 'listKeysInOrder'
    | 'getOwner'
    | 'getOwners'
    | 'listOwners'
    | 'getRole'
    | 'listRoles'
    | 'getUsage'
    | 'sumUsage'
    | 'listRequests'
    | 'countListed'
    | 'countOwned'
    | 'listJournal'
    | 'countDigests'
    | 'countKeys'
    | 'listReplicas'
    | 'diagnose'
    | 'countReplicas'
    | 'appendJournal'
  >;
  readonly keyring: Pick<Keyring, 'peekOwner' | 'loadOwner'>;
  readonly standings: Pick<Standings, 'of'>;
  readonly charge: ChargeLimits;
  readonly digester: Digester;
  /** Of this process. */
  readonly replicaId: string;
  readonly refusals: Refusals;
  /** What this process itself has found of what it does beside the store. */
  readonly findings: () => readonly Finding[];
  /** Counts a call as a use of the admin key that it came by. */
  readonly noteUse: AdmitDependencies['noteUse'];
  readonly tail: JournalTail;
  /** Whether requests are logged; default: they are. */
  readonly isRequestLogOn?: () => boolean;
  /** Refuses what would leave nobody who may change everything. */
  readonly guard: Guard & { readonly many: EndsLastWriter };
  /** Who may change everything, besides admin keys. */
  readonly waysIn: WaysIn;
  /** Null where there is no console. */
  readonly portal: PortalTerms | null;
  /** A Check that counts nothing. */
  readonly authorize: Authorize;
  /** What holds now. */
  readonly policy: () => KeyPolicy;
  readonly now: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic: () => number;
}

export function createAdmin(dependencies: AdminDependencies): Admin {
  const terms = createKeyTerms(dependencies);
  const show = createShowKeys(dependencies);
  const rules = createRuleGuard(dependencies);
  const findHeldSecret = createHeldSecrets(() => dependencies.policy().keySchemes);
  const operations: Operations = {
    ...createKeyOperations({ ...dependencies, terms, show, rules }),
    ...createKeyChangeOperations({ ...dependencies, terms, show, rules }),
    ...createBulkOperations({ ...dependencies, endsLastWriter: dependencies.guard.many }),
    ...createImportOperations({ ...dependencies, terms, rules, findHeldSecret }),
    ...createOwnerOperations({ ...dependencies, terms }),
    ...createRoleOperations(dependencies),
    ...createAuditOperations(dependencies),
    ...createDiagnosticsOperations(dependencies),
    ...createLeakOperations(dependencies),
    ...createLimitOperations(dependencies),
    ...createRequestOperations(dependencies),
    ...createUsageOperations(dependencies),
    ...createPortalOperations(dependencies),
    ...createTermsOperations({ ...dependencies, terms }),
    ...createWatchOperations(dependencies),
  };
  const admit = createAdmit(dependencies, findHeldSecret);
  const admitted = Object.entries(operations).map(([name, operation]) => [
    name,
    admit(name, actionOf(name as keyof Operations), operation),
  ]);
  return Object.fromEntries(admitted) as Admin;
}

function actionOf<Name extends keyof Operations>(name: Name): Capitalize<Name> {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}` as Capitalize<Name>;
}
