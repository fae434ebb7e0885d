import type { Store } from './store.ts';
import { eachCall } from './store-calls.ts';
import type { Tracing } from './tracing.ts';
import { storeForm } from './tracing-attributes.ts';

/** The same store; what a traced call asks of it is a part of the call's span. */
export function traceStore(store: Store, tracing: Tracing): Store {
  return eachCall(store, (operation, call) => tracing.timed(storeForm(store.kind, operation), call));
}
