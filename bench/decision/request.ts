import { CheckRequest } from '../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';

/** What differs between the requests of two cases; the rest is what Envoy sends for a JSON call. */
export interface RequestGiven {
  readonly key: string;
  /** Headers in `header_map`, as with Envoy's `encode_raw_headers`. */
  readonly raw?: boolean;
  readonly context?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly host?: string;
  readonly address?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The bytes of one Check with a key as a bearer token, as they come off the wire. */
export function requestBytes(given: RequestGiven): Buffer {
  return Buffer.from(CheckRequest.encode(checkRequest(given)).finish());
}

/** One request after another in the same bytes, as a transport hands them over. */
export interface Requests {
  readonly count: number;
  /** The request of that number, until the next one is asked for. */
  at(index: number): Buffer;
}

/** The same request for each key; the key alone differs. */
export function requestsOf(keys: readonly string[], given: Omit<RequestGiven, 'key'>): Requests {
  const [first = ''] = keys;
  const bytes = requestBytes({ ...given, key: first });
  const keyAt = bytes.indexOf(first, 0, 'latin1');
  const secrets = Buffer.from(keys.join(''), 'latin1');
  return {
    count: keys.length,
    at(index) {
      secrets.copy(bytes, keyAt, index * first.length, (index + 1) * first.length);
      return bytes;
    },
  };
}

function checkRequest(given: RequestGiven): CheckRequest {
  const host = given.host ?? 'api.example.com';
  const path = given.path ?? '/v1/accounts/acc_10482/messages?limit=50&after=msg_70311';
  const address = given.address ?? '203.0.113.10';
  const headers = {
    ':authority': host,
    ':method': 'POST',
    ':path': path,
    ':scheme': 'https',
    'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0',
    accept: 'application/json, text/plain, */*',
    'accept-encoding': 'gzip, deflate, br, zstd',
    authorization: `Bearer ${given.key}`,
    'content-length': '348',
    'content-type': 'application/json',
    'x-forwarded-for': address,
    'x-forwarded-proto': 'https',
    'x-request-id': '6f1c2f0e-4c86-4b0e-9a2f-1d5b7c3e8f00',
    ...given.headers,
  };
  const rawHeaders = Object.entries(headers).map(([key, value]) => ({
    ...{ key, value: '', rawValue: Buffer.from(value) },
  }));
  const http = {
    ...{ id: '9230117446051322001', method: 'POST', path, host, scheme: 'https', size: 348 },
    ...{ query: '', fragment: '', protocol: 'HTTP/1.1', body: '', rawBody: new Uint8Array(0) },
    headers: given.raw === true ? {} : headers,
    headerMap: given.raw === true ? { headers: rawHeaders } : undefined,
  };
  return {
    attributes: {
      source: peer(address, 40_112),
      destination: peer('10.0.12.7', 8443),
      request: { time: { seconds: 1_767_225_600, nanos: 481_516_000 }, http },
      contextExtensions: { ...(given.context ?? { scheme: 'postern', permissions: 'write:messages' }) },
      metadataContext: { filterMetadata: {}, typedFilterMetadata: {} },
      routeMetadataContext: { filterMetadata: {}, typedFilterMetadata: {} },
      tlsSession: undefined,
    },
  };
}

function peer(address: string, port: number) {
  const socketAddress = {
    ...{ protocol: 0 as const, address, resolverName: '', ipv4Compat: false },
    portSpecifier: { $case: 'portValue' as const, value: port },
  };
  return {
    address: { address: { $case: 'socketAddress' as const, value: socketAddress } },
    ...{ service: '', labels: {}, principal: '', certificate: '' },
  };
}
