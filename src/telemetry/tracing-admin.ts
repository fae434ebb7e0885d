import type { Admin } from '../admin/admin.ts';
import type { Caller } from '../admin/identity.ts';
import { Failure } from '../failure.ts';
import { rpcStatus } from '../net/rpc.ts';
import { StoreUnavailable } from '../store/store.ts';
import { type CallSpan, errorTypeOf, type Tracing } from '../tracing/tracing.ts';
import { adminForm, attribute, rpcStatusOf, type SpanForm } from '../tracing/tracing-attributes.ts';
import { named } from '../tracing/tracing-context.ts';

/** The same operations, with a span of each call: by the name of the RPC, over whatever wire it came. */
export function traceAdmin(admin: Admin, tracing: Tracing): Admin {
  const operations = Object.entries(admin).map(([name, operation]) => [
    name,
    traced(name, operation as Operation, tracing),
  ]);
  return Object.fromEntries(operations) as Admin;
}

type Operation = (caller: Caller, ...rest: never[]) => Promise<unknown>;

function traced(name: string, operation: Operation, tracing: Tracing): Operation {
  const rpc = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const forms: Readonly<Record<string, SpanForm>> = {
    grpc: adminForm(rpc, 'grpc'),
    http: adminForm(rpc, 'http'),
  };
  return async (caller, ...rest) => {
    const { protocol = 'http', trace } = caller;
    const span = tracing.serve(forms[protocol] as SpanForm, named(trace ?? null));
    if (span === null) return operation(caller, ...rest);
    try {
      const answer = await span.within(() => operation(caller, ...rest));
      span.set(attribute.rpcStatus, rpcStatus.ok);
      return answer;
    } catch (error) {
      refused(span, error);
      throw error;
    } finally {
      span.end();
    }
  };
}

/** What a caller is told of is no error; what is broken or away is. */
function refused(span: CallSpan, error: unknown): void {
  const code =
    error instanceof Failure ? error.code : error instanceof StoreUnavailable ? 'UNAVAILABLE' : null;
  span.set(attribute.rpcStatus, code === null ? rpcStatus.internal : rpcStatusOf[code]);
  if (code === null) span.fail(errorTypeOf(error));
  else if (code === 'UNAVAILABLE') span.fail(code);
  else span.set(attribute.errorType, code);
}
