import type { Keyring } from '../cache/keyring.ts';
import type { Decision } from '../check/authorize.ts';
import type { AccessRequest } from '../check/request.ts';
import { rpcStatus } from '../net/rpc.ts';
import type { CheckStore } from '../store/breaker.ts';
import type { Store } from '../store/store.ts';
import type { CallSpan, Tracing } from '../tracing/tracing.ts';
import { attribute, checkForm, storeForm } from '../tracing/tracing-attributes.ts';
import { named, type TraceHeaders } from '../tracing/tracing-context.ts';

/**
 * Begins the span of a Check, in the trace that its caller names, else in the one of the request that it is about,
 * where that could be read. Null where the trace is not recorded.
 */
export function beginCheck(
  tracing: Tracing,
  caller: TraceHeaders | null,
  request: AccessRequest | null,
): CallSpan | null {
  return tracing.serve(checkForm, named(caller) ?? (request === null ? null : named(headersOf(request))));
}

/** Ends the span of a Check that was answered. A denial is no error; that nobody could be asked is one. */
export function endDecided(span: CallSpan, decision: Decision): void {
  span.set(attribute.rpcStatus, rpcStatus.ok);
  const isObserved = decision.verdict === 'observe';
  const judged = isObserved ? decision.would : decision;
  const denied = judged.verdict === 'deny' ? judged : null;
  span.set(attribute.decision, denied === null ? 'allow' : isObserved ? 'observed' : 'deny');
  if (judged.verdict !== 'public') {
    span.set(attribute.scheme, judged.scheme.name);
    if (judged.key !== null) span.set(attribute.keyId, judged.key.id);
  }
  if (denied !== null) {
    span.set(attribute.reason, denied.reason);
    if (denied.reason === 'unavailable') span.fail(denied.reason);
  }
  span.end();
}

/** Ends the span of a Check that failed as a call, so that Envoy's own setting decides. */
export function endFailed(span: CallSpan): void {
  span.set(attribute.rpcStatus, rpcStatus.unavailable);
  span.fail('unavailable');
  span.end();
}

/** The same keyring; what it knew at first of the key that a Check is about is an attribute of its span. */
export function traceLookups(keyring: Keyring, tracing: Tracing): Keyring {
  return {
    ...keyring,
    peek(digest) {
      const known = keyring.peek(digest);
      const span = tracing.current();
      span?.setFirst(attribute.cache, known === undefined ? 'load' : known === null ? 'miss' : 'hit');
      return known;
    },
  };
}

/** The same store; what a traced Check asks of it is a part of the Check's span. */
export function traceCheckStore<
  Traced extends Pick<CheckStore, 'findKey' | 'getOwner' | 'getRole' | 'leaseUnits'>,
>(store: Traced, kind: Store['kind'], tracing: Tracing): Traced {
  return {
    ...store,
    findKey: tracing.timed(storeForm(kind, 'find_key'), store.findKey),
    getOwner: tracing.timed(storeForm(kind, 'get_owner'), store.getOwner),
    getRole: tracing.timed(storeForm(kind, 'get_role'), store.getRole),
    leaseUnits: tracing.timed(storeForm(kind, 'lease_units'), store.leaseUnits),
  };
}

/** Null unless there is one `traceparent`. */
function headersOf(request: AccessRequest): TraceHeaders | null {
  const traceparents = request.header('traceparent');
  const [traceparent] = traceparents;
  if (traceparent === undefined || traceparents.length > 1) return null;
  return { traceparent, tracestate: request.header('tracestate').join(',') };
}
