import type { Refusals } from '../events/refusals.ts';
import { Failure } from '../failure.ts';
import type { JournalDraft, Origin } from '../journal/journal.ts';
import { adminWrite } from '../keys/admin-permissions.ts';
import { isKeyId, type KeyId } from '../keys/key.ts';
import type { Reason } from '../schemes/answer.ts';
import type { Store } from '../store/store.ts';
import { callName, requestId } from './admin-fields.ts';
import type { Call } from './call.ts';
import { visibleTo } from './call.ts';
import { type FindHeldSecret, refuseHeldSecrets } from './held-secret.ts';
import { type Caller, type Identity, mayCallAs, requireMayCall } from './identity.ts';
import { type OperationName, operationPermissions } from './operation-permissions.ts';

export interface AdmitDependencies {
  readonly identify: (caller: Caller) => Promise<Identity>;
  readonly refusals: Refusals;
  readonly store: Pick<Store, 'getKey'>;
  /** Counts a call as a use of the admin key that it came by; `reason` is null where the key may make it. No wait. */
  readonly noteUse: (key: KeyId, reason: Reason | null, address: string) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic: () => number;
}

export type Operation = (call: Call, ...rest: never[]) => Promise<unknown>;
export type Admitted = (caller: Caller, ...rest: never[]) => Promise<unknown>;

/** A call that lasts is a use of its key so often. */
const usedAgainMs = 60_000;

/**
 * Admits who may call an operation. What is refused is journalled where it would have changed something, and where
 * the caller may not make the call at all: who mistypes a filter, or asks for a key that is not there, is just told.
 */
export function createAdmit(
  { identify, refusals, store, noteUse, monotonic }: AdmitDependencies,
  findHeldSecret: FindHeldSecret,
) {
  return (name: string, action: OperationName, operation: Operation): Admitted => {
    const isChange = operationPermissions[action] === adminWrite;

    function countUse(identity: Identity, { address }: Caller): void {
      const { key, reason } = identity;
      if (key === null) return;
      noteUse(key, reason ?? (mayCallAs(identity, action) ? null : 'permission_denied'), address);
    }

    return async (caller, ...rest) => {
      const anonymous = originOf(action, caller, rest, findHeldSecret);
      let call: Call | null = null;
      try {
        const identity = await identify(caller);
        let usedAt = monotonic();
        const renew = async () => {
          const current = await identify(caller);
          if (monotonic() - usedAt >= usedAgainMs) {
            usedAt = monotonic();
            countUse(current, caller);
          }
          requireMayCall(current, action);
        };
        const { actor, actorName } = identity;
        call = { identity, origin: { ...anonymous, actor, actorName }, renew };
        countUse(identity, caller);
        requireMayCall(identity, action);
        refuseHeldSecrets(findHeldSecret, name, rest);
        return await operation(call, ...rest);
      } catch (error) {
        if (error instanceof Failure && isJournalled(error)) {
          const origin = call?.origin ?? anonymous;
          await refusals.record(await refusalDraft(origin, call, rest[0], error));
        }
        throw error;
      }
    };

    function isJournalled({ code }: Failure): boolean {
      if (code === 'UNAVAILABLE') return false;
      return isChange || code === 'UNAUTHENTICATED' || code === 'PERMISSION_DENIED';
    }
  };

  /** Of what was sent nothing is told but what is a key's id by its form: anything else might be a secret. */
  async function refusalDraft(
    origin: Origin,
    call: Call | null,
    about: unknown,
    { code }: Failure,
  ): Promise<JournalDraft> {
    const target = typeof about === 'string' && isKeyId(about) ? about : null;
    const targetName = target === null || call === null ? null : await nameFor(call, target);
    const owner = call?.identity.owner ?? null;
    return {
      ...{ ...origin, kind: 'call', target, targetName, owner, outcome: 'refused', error: code },
      ...{ before: null, after: null, once: null },
    };
  }

  /** The name of a key that the caller may know of; null where it cannot be told. */
  async function nameFor(call: Call, id: KeyId): Promise<string | null> {
    if (call.identity.refusal !== null) return null;
    try {
      const key = await store.getKey(id);
      return key !== null && visibleTo(call)(key) ? key.name : null;
    } catch {
      // The refusal is told and journalled without it.
      return null;
    }
  }
}

function originOf(
  action: string,
  { address, requestId }: Caller,
  given: readonly unknown[],
  findHeldSecret: FindHeldSecret,
): Origin {
  const name = callNameIn(given, requestId, findHeldSecret);
  return { actor: null, action, address: address || null, requestId: name };
}

/** What a call is named: by the `request_id` of its request, else by its caller; null where neither is a name. */
export function callNameIn(
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
