/**
 * Room `admin/`: The operations of KeyAdmin, apart from any wire. Here: who calls, whether they may, what they
 * may ask for, then the operation. Not here: gRPC, REST and the console, which all call these.
 */

import type { Guard } from '../changes/key-change.ts';
import type { Registry } from '../changes/registry.ts';
import type { Authorize } from '../check/authorize.ts';
import type { KeyPolicy } from '../check/policy.ts';
import type { JournalTail } from '../events/journal-tail.ts';
import type { Refusals } from '../events/refusals.ts';
import { Failure } from '../failure.ts';
import type { Origin } from '../journal/journal.ts';
import { adminWrite } from '../keys/admin-permissions.ts';
import { isKeyId } from '../keys/key.ts';
import type { Digester } from '../keys/secret.ts';
import type { Store } from '../store/store.ts';
import { callName, requestId } from './admin-fields.ts';
import { type AuditOperations, createAuditOperations } from './audit-operations.ts';
import type { Call } from './call.ts';
import type { WaysIn } from './diagnostics/admin-access.ts';
import {
  createDiagnosticsOperations,
  type DiagnosticsOperations,
} from './diagnostics/diagnostics-operations.ts';
import { createHeldSecrets, type FindHeldSecret, refuseHeldSecrets } from './held-secret.ts';
import { type Caller, type Identity, requireRead, requireWrite } from './identity.ts';
import { createImportOperations, type ImportOperations } from './import-operations.ts';
import { createKeyChangeOperations, type KeyChangeOperations } from './key-change-operations.ts';
import { createKeyOperations, type KeyOperations } from './key-operations.ts';
import { createKeyTerms } from './key-terms.ts';
import { createLeakOperations, type LeakOperations } from './leak-operations.ts';
import { operationPermissions } from './operation-permissions.ts';
import { createOwnerOperations, type OwnerOperations } from './owner-operations.ts';
import { createShowKeys } from './shown-keys.ts';
import { createTermsOperations, type TermsOperations } from './terms-operations.ts';
import { createWatchOperations, type WatchOperations } from './watch-operations.ts';

interface Operations
  extends KeyOperations,
    KeyChangeOperations,
    ImportOperations,
    OwnerOperations,
    AuditOperations,
    DiagnosticsOperations,
    LeakOperations,
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
    | 'getOwner'
    | 'getOwners'
    | 'listOwners'
    | 'getUsage'
    | 'listJournal'
    | 'countDigests'
    | 'diagnose'
    | 'countReplicas'
  >;
  readonly digester: Digester;
  readonly refusals: Refusals;
  readonly tail: JournalTail;
  /** Refuses what would leave nobody who may change everything. */
  readonly guard: Guard;
  /** Who may change everything, besides admin keys. */
  readonly waysIn: WaysIn;
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
  const findHeldSecret = createHeldSecrets(() => dependencies.policy().keySchemes);
  const operations: Operations = {
    ...createKeyOperations({ ...dependencies, terms, show }),
    ...createKeyChangeOperations({ ...dependencies, terms, show }),
    ...createImportOperations({ ...dependencies, terms, findHeldSecret }),
    ...createOwnerOperations({ ...dependencies, terms }),
    ...createAuditOperations(dependencies),
    ...createDiagnosticsOperations(dependencies),
    ...createLeakOperations(dependencies),
    ...createTermsOperations({ ...dependencies, terms }),
    ...createWatchOperations(dependencies),
  };
  const admit = createAdmit(dependencies, findHeldSecret);
  const admitted = Object.entries(operations).map(([name, operation]) => [
    name,
    admit(name as keyof Operations, operation),
  ]);
  return Object.fromEntries(admitted) as Admin;
}

type Operation = (call: Call, ...rest: never[]) => Promise<unknown>;

/** Lets in who may call an operation, and journals what is refused, by whom ever. */
function createAdmit(
  { identify, refusals }: Pick<AdminDependencies, 'identify' | 'refusals'>,
  findHeldSecret: FindHeldSecret,
) {
  return (name: keyof Operations, operation: Operation) =>
    async (caller: Caller, ...rest: never[]): Promise<unknown> => {
      const anonymous = originOf(name, caller, rest, findHeldSecret);
      let call: Call | null = null;
      const requireAccess =
        operationPermissions[anonymous.action] === adminWrite ? requireWrite : requireRead;
      const renew = async () => requireAccess(await identify(caller));
      try {
        const identity = await identify(caller);
        call = { identity, origin: { ...anonymous, actor: identity.actor }, renew };
        requireAccess(identity);
        refuseHeldSecrets(findHeldSecret, name, rest);
        return await operation(call, ...rest);
      } catch (error) {
        if (error instanceof Failure && error.code !== 'UNAVAILABLE') {
          await refusals.record(refusalDraft(call?.origin ?? anonymous, call, rest[0], error));
        }
        throw error;
      }
    };
}

function originOf<Name extends keyof Operations>(
  name: Name,
  { address, requestId }: Caller,
  given: readonly unknown[],
  findHeldSecret: FindHeldSecret,
) {
  const action = `${name.charAt(0).toUpperCase()}${name.slice(1)}` as Capitalize<Name>;
  return {
    actor: null,
    action,
    address: address || null,
    requestId: nameOf(given, requestId, findHeldSecret),
  };
}

/** What a call is named: by the `request_id` of its request, else by its caller; null where neither is a name. */
function nameOf(
  given: readonly unknown[],
  ofCaller: string | null | undefined,
  findHeldSecret: FindHeldSecret,
): string | null {
  const asked = given.flatMap((value) =>
    typeof value === 'object' && value !== null && 'request_id' in value ? [value.request_id] : [],
  );
  const name = [requestId.safeParse(asked[0]).data, callName(ofCaller ?? null)].find((text) => text) ?? null;
  return name === null || findHeldSecret(name) !== null ? null : name;
}

/** Of what was sent nothing is told but what is a key's id by its form: anything else might be a secret. */
function refusalDraft(origin: Origin, call: Call | null, about: unknown, { code }: Failure) {
  const target = typeof about === 'string' && isKeyId(about) ? about : null;
  const owner = call?.identity.owner ?? null;
  return {
    ...({ ...origin, kind: 'call', target, owner, outcome: 'refused', error: code } as const),
    ...{ before: null, after: null, once: null },
  };
}
