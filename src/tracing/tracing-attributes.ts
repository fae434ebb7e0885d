import { type Attributes, SpanKind } from '@opentelemetry/api';
import type { FailureCode } from '../failure.ts';
import type { Store } from '../store/store.ts';

/**
 * Every name that a span, or an attribute of one, may have. Those of others come from OpenTelemetry's semantic
 * conventions for RPC, databases and errors (https://opentelemetry.io/docs/specs/semconv/). None holds a key, a
 * header, an address or what a caller wrote.
 */
export const attribute = {
  rpcSystem: 'rpc.system',
  rpcService: 'rpc.service',
  rpcMethod: 'rpc.method',
  rpcStatus: 'rpc.grpc.status_code',
  protocol: 'network.protocol.name',
  database: 'db.system.name',
  databaseOperation: 'db.operation.name',
  errorType: 'error.type',
  decision: 'postern.decision',
  reason: 'postern.reason',
  scheme: 'postern.scheme',
  /** What memory knew of the key: `hit`, `miss` for one known to be nobody's, `load` where the store was asked. */
  cache: 'postern.cache',
  keyId: 'postern.key_id',
} as const;

export const resourceAttribute = {
  serviceName: 'service.name',
  serviceVersion: 'service.version',
  serviceInstance: 'service.instance.id',
} as const;

/** What a span is called and is born with. */
export interface SpanForm {
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: Attributes;
}

export const checkForm: SpanForm = {
  name: 'envoy.service.auth.v3.Authorization/Check',
  kind: SpanKind.SERVER,
  attributes: {
    [attribute.rpcSystem]: 'grpc',
    [attribute.rpcService]: 'envoy.service.auth.v3.Authorization',
    [attribute.rpcMethod]: 'Check',
  },
};

/** How an admin call came; REST has the operations of KeyAdmin under other names. */
export type AdminProtocol = 'grpc' | 'http';

/** @param operation as the RPC is called: `CreateKey` */
export function adminForm(operation: string, protocol: AdminProtocol): SpanForm {
  const service = 'postern.admin.v1.KeyAdmin';
  return {
    name: `${service}/${operation}`,
    kind: SpanKind.SERVER,
    attributes: {
      ...(protocol === 'grpc' ? { [attribute.rpcSystem]: 'grpc' } : { [attribute.protocol]: 'http' }),
      ...{ [attribute.rpcService]: service, [attribute.rpcMethod]: operation },
    },
  };
}

/** @param operation as metrics call it: `find_key` */
export function storeForm(kind: Store['kind'], operation: string): SpanForm {
  return {
    name: `store ${operation}`,
    kind: kind === 'mongodb' ? SpanKind.CLIENT : SpanKind.INTERNAL,
    attributes: { [attribute.database]: kind, [attribute.databaseOperation]: operation },
  };
}

/** gRPC's numbers (https://grpc.io/docs/guides/status-codes/) of what an admin call may be refused with. */
export const rpcStatusOf: Readonly<Record<FailureCode, number>> = {
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
};
