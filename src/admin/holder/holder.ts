import type { Keyring } from '../../cache/keyring.ts';
import type { Guard } from '../../changes/key-change.ts';
import type { Narrowed, Registry } from '../../changes/registry.ts';
import type { Allowed, Authorize, Denied } from '../../check/authorize.ts';
import { denialBody, denialHeaders } from '../../check/denial.ts';
import { grpcMessage, grpcStatus } from '../../check/grpc-denial.ts';
import type { KeyPolicy } from '../../check/policy.ts';
import type { AccessRequest } from '../../check/request.ts';
import type { Refusals } from '../../events/refusals.ts';
import { Failure, notFound } from '../../failure.ts';
import type { CheckedKey, KeyRecord } from '../../keys/key.ts';
import type { ChargeLimits } from '../../limits/charging.ts';
import type { Standings, UsedLimit } from '../../limits/standings.ts';
import type { Reason } from '../../schemes/answer.ts';
import { nullIfBad, type Store } from '../../store/store.ts';
import { holderRotateInput } from '../admin-input.ts';
import { callNameIn } from '../admit.ts';
import type { Call } from '../call.ts';
import { createHeldSecrets, refuseHeldSecrets } from '../held-secret.ts';
import { createKeyChangeOperations, type ShownRotation } from '../keys/key-change-operations.ts';
import { createKeyTerms } from '../keys/key-terms.ts';
import { createLimitOperations } from '../keys/limit-operations.ts';
import { createRuleGuard } from '../keys/rule-guard.ts';
import { createShowKeys, type Shown } from '../keys/shown-keys.ts';
import { readInput } from '../read-input.ts';

/** What whoever has a key may do with that one key, by the key itself and nothing else. */
export interface Holder {
  /** The key, what holds in all, and how it stands with its limits; spends nothing. */
  read(call: HolderCall): Promise<Answered<HeldKey>>;
  /** The parameters of an address in which a key may stand. */
  keyParameters(): readonly string[];
  /** As RevokeKey; the input is an empty object. */
  revoke(call: HolderCall, input: unknown): Promise<Answered<Shown<Narrowed>>>;
  /** As RotateKey with nothing but `grace_period` and `request_id`: nobody gives their own key more than it had. */
  rotate(call: HolderCall, input: unknown): Promise<Answered<ShownRotation>>;
}

/** What a key that may not pass is told is a value, in the words of its scheme; what goes wrong behind that is thrown. */
export type Answered<T> = { readonly denied: HolderDenial } | { readonly denied: null; readonly answer: T };

export interface HolderDenial {
  readonly reason: Reason;
  /** As it goes out over HTTP. */
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** As it goes out over gRPC, besides the headers. */
  readonly grpc: { readonly code: number; readonly message: string };
}

export interface HeldKey {
  readonly key: KeyRecord;
  /** By itself and by its roles. */
  readonly permissions: readonly string[];
  readonly limits: readonly UsedLimit[];
}

/** A request as a wire has it. */
export interface HolderCall extends Pick<AccessRequest, 'method' | 'host' | 'path' | 'principal' | 'header'> {
  /** The connection's, an IP address; empty where it has none. */
  readonly address: string;
  /** What the caller names the call. */
  readonly requestId: string | null;
}

export const holderOperations = ['read', 'revoke', 'rotate'] as const;
export type HolderOperation = (typeof holderOperations)[number];
/** Those of the calls that are there. */
export type HolderSettings = Readonly<Record<HolderOperation, boolean>>;
/** What came of a call: `ok`, why the key was denied, or the code of the refusal of one that was not. */
export type HolderOutcome = 'ok' | Reason | Lowercase<Failure['code']>;

export interface HolderDependencies {
  readonly registry: Registry;
  readonly store: Pick<
    Store,
    'getKey' | 'getRole' | 'getOwner' | 'getOwners' | 'countOwned' | 'appendJournal'
  >;
  readonly keyring: Pick<Keyring, 'peekOwner' | 'loadOwner'>;
  readonly standings: Pick<Standings, 'of'>;
  readonly charge: ChargeLimits;
  /** What holds now. */
  readonly policy: () => KeyPolicy;
  /** Refuses what would leave nobody who may change everything. */
  readonly guard: Guard;
  /** See `Judges.ofHolder`. */
  readonly authorize: Authorize;
  readonly refusals: Refusals;
  /** Counts a denial as one of those that look like guesses. No wait. */
  readonly countFailure: (reason: Reason, address: string, times: number) => void;
  readonly count: (operation: HolderOperation, outcome: HolderOutcome) => void;
  readonly now: () => number;
}

/** A scheme, or the settings, in observe mode deny nobody; here nothing is observed. */
const context: ReadonlyMap<string, string> = new Map([['mode', 'enforce']]);
const actionOf = { read: 'GetKey', revoke: 'RevokeKey', rotate: 'RotateKey' } as const;

export function createHolder(dependencies: HolderDependencies): Holder {
  const { authorize, store, policy, refusals, countFailure, count } = dependencies;
  const findHeldSecret = createHeldSecrets(() => policy().keySchemes);
  const terms = createKeyTerms(dependencies);
  const [show, rules] = [createShowKeys(dependencies), createRuleGuard(dependencies)];
  const changes = createKeyChangeOperations({ ...dependencies, terms, show, rules });
  const { getKeyLimits } = createLimitOperations(dependencies);

  return {
    read: (call) =>
      admitted('read', call, null, async (made, allowed) => {
        const limits = await getKeyLimits(made, allowed.key.id);
        const key = await store.getKey(allowed.key.id).catch(nullIfBad);
        if (key === null) throw notFound('key');
        return { key, permissions: allowed.permissions, limits };
      }),
    keyParameters: () =>
      policy().keySchemes.flatMap(({ places }) =>
        places.flatMap(({ kind, name }) => (kind === 'query' ? [name] : [])),
      ),
    revoke: (call, input) =>
      admitted('revoke', call, input, (made, { key }) => changes.revokeKey(made, key.id, input)),
    rotate: (call, input) =>
      admitted('rotate', call, input, (made, { key }) => {
        refuseHeldSecrets(findHeldSecret, 'rotateKey', [input]);
        readInput(holderRotateInput, input);
        return changes.rotateKey(made, key.id, input);
      }),
  };

  async function admitted<T>(
    operation: HolderOperation,
    call: HolderCall,
    input: unknown,
    work: (made: Call, allowed: Allowed) => Promise<T>,
  ): Promise<Answered<T>> {
    const judged = await authorize({ ...call, context, reservedHeaders: () => [] });
    if (judged.verdict === 'public' || judged.verdict === 'observe') throw new Error('a holder shows a key');
    if (judged.verdict === 'deny') {
      countFailure(judged.reason, call.address, 1);
      count(operation, judged.reason);
      return { denied: denialOf(judged) };
    }
    const made = callOf(operation, call, input, judged.key);
    try {
      const answer = await work(made, judged);
      count(operation, 'ok');
      return { denied: null, answer };
    } catch (error) {
      if (error instanceof Failure) {
        count(operation, error.code.toLowerCase() as Lowercase<Failure['code']>);
        if (operation !== 'read' && error.code !== 'UNAVAILABLE') await note(made, judged.key, error);
      }
      throw error;
    }
  }

  /** The key acts for itself. */
  function callOf(operation: HolderOperation, call: HolderCall, input: unknown, key: CheckedKey): Call {
    const { address, requestId } = call;
    const acting = { actor: key.id, actorName: key.name };
    const named = callNameIn([input], requestId, findHeldSecret);
    return {
      identity: {
        ...{ ...acting, key: key.id, owner: key.owner, canRead: false, canWrite: false },
        ...{ portal: null, refusal: null, reason: null },
      },
      origin: { ...acting, action: actionOf[operation], address: address || null, requestId: named },
      renew: async () => {},
    };
  }

  /** What a key was refused though it may pass, as a refused call of an admin key is journalled. */
  function note({ origin }: Call, { id, name, owner }: CheckedKey, { code }: Failure): Promise<void> {
    return refusals.record({
      ...{ ...origin, kind: 'call', target: id, targetName: name, owner, outcome: 'refused', error: code },
      ...{ before: null, after: null, once: null },
    });
  }
}

function denialOf(denied: Denied): HolderDenial {
  const { reason, scheme } = denied;
  const { status } = scheme.answers[reason];
  const grpc = { code: grpcStatus(denied), message: grpcMessage(denied) };
  return { reason, status, headers: denialHeaders(denied), body: denialBody(denied), grpc };
}
