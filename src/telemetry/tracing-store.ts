import type { Store } from '../store/store.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { storeForm } from '../tracing/tracing-attributes.ts';
import { eachCall } from './store-calls.ts';

/** The same store; what a traced call asks of it is a part of the call's span. */
export function traceStore(store: Store, tracing: Tracing): Store {
  return eachCall(store, (operation, call) => tracing.timed(storeForm(store.kind, operation), call));
}
