import type { Visible } from '../../changes/key-change.ts';
import type { Authorize } from '../../check/authorize.ts';
import type { AccessRequest } from '../../check/request.ts';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { type Place, recognise, type Scheme } from '../../schemes/scheme.ts';
import { StoreUnavailable } from '../../store/store.ts';
import type { VerifyKeyInput } from '../admin-input.ts';

/** What a Check would answer. */
export interface Verification {
  readonly allowed: boolean;
  readonly reason: Reason | null;
  /** The HTTP status that the caller of the API would get; 200 when allowed. */
  readonly status: number;
  readonly keyId: KeyId | null;
  /** There where the Check only observes: it allows, and `reason` and `status` say what would be answered otherwise. */
  readonly observed?: true;
}

/**
 * Asks what a Check would answer to this key; a key that may not be seen is as one that is not there. `schemes` are
 * those of the same moment as `authorize` judges by.
 */
export function createDryRun(
  authorize: Authorize,
  schemes: () => readonly [Scheme, ...Scheme[]],
): (input: VerifyKeyInput, visible: Visible) => Promise<Verification> {
  return async (input, visible) => {
    const decision = await authorize(asRequest(input, schemes()));
    const isObserved = decision.verdict === 'observe';
    const observed = isObserved ? ({ observed: true } as const) : {};
    const judged = decision.verdict === 'observe' ? decision.would : decision;
    if (judged.verdict === 'public')
      return { allowed: true, reason: null, status: 200, keyId: null, ...observed };
    if (judged.key !== null && !visible(judged.key)) {
      const { status } = judged.scheme.answers.unknown;
      return { allowed: isObserved, reason: 'unknown', status, keyId: null, ...observed };
    }
    if (judged.verdict === 'allow')
      return { allowed: true, reason: null, status: 200, keyId: judged.key.id, ...observed };
    const { reason, scheme, key, misconfigured, cause } = judged;
    // A scheme or an environment that there is not: a Check of such a route is answered so, whatever the key.
    if (reason === 'unavailable' && misconfigured === undefined)
      throw cause ?? new StoreUnavailable('the store could not be asked for the key');
    const { status } = scheme.answers[reason];
    return { allowed: isObserved, reason, status, keyId: key?.id ?? null, ...observed };
  };
}

/** The request that is tried: the key in the first place where its scheme looks. */
function asRequest(input: VerifyKeyInput, schemes: readonly [Scheme, ...Scheme[]]): AccessRequest {
  const named = schemes.filter(({ name }) => input.scheme == null || name === input.scheme);
  const scheme = named.find((known) => recognise(known, input.key) !== null) ?? named[0] ?? schemes[0];
  const [place] = scheme.places;
  const headers = headersWith(place, input.key);
  const context = new Map<string, string>();
  if (input.scheme != null) context.set('scheme', input.scheme);
  if (input.environment != null) context.set('environment', input.environment);
  if (input.permissions?.length) context.set('permissions', input.permissions.join(','));
  return {
    method: input.method ?? 'GET',
    host: input.host ?? '',
    path: pathWith(place, input.key, input.path ?? '/'),
    address: input.address ?? null,
    ...(input.principal != null && { principal: input.principal }),
    context,
    header: (name) => headers.get(name) ?? [],
    reservedHeaders: () => [],
  };
}

function headersWith(place: Place, key: string): Map<string, string[]> {
  if (place.kind === 'header')
    return new Map([[place.name, [place.word === null ? key : `${place.word} ${key}`]]]);
  return place.kind === 'cookie' ? new Map([['cookie', [`${place.name}=${key}`]]]) : new Map();
}

function pathWith(place: Place, key: string, path: string): string {
  if (place.kind !== 'query') return path;
  return `${path}${path.includes('?') ? '&' : '?'}${place.name}=${encodeURIComponent(key)}`;
}
