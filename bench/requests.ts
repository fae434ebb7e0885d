import type { AttributeContext_HttpRequest } from '../src/grpc/gen/envoy/service/auth/v3/attribute_context.ts';
import { CheckRequest } from '../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';
import { keyLength } from './keys.ts';

/** CheckRequests as gRPC messages (the 5-byte prefix included), ready to be copied to the wire. */
export interface Requests {
  readonly count: number;
  readonly bytesMax: number;
  /** Writes the request that presents key `index` at `at`, and returns its length. */
  write(index: number, target: Buffer, at: number): number;
}

export interface RequestOptions {
  /** Headers in `header_map`, as with Envoy's `encode_raw_headers`, instead of the `headers` map. */
  readonly raw: boolean;
  /** The route asks for a permission that no key has. */
  readonly asksForMore: boolean;
}

interface Template {
  readonly message: Buffer;
  readonly keyAt: number;
}

const placeholder = '~'.repeat(keyLength);

/**
 * One request per key. All that differs between two of them is the key and, in turn, one of eight callers,
 * so a request costs a copy of its template and of the key: the client has to be cheaper than any server.
 */
export function createRequests(keys: readonly string[], options: RequestOptions): Requests {
  const secrets = Buffer.from(keys.join(''), 'latin1');
  const templates = Array.from({ length: 8 }, (_, caller) => createTemplate(caller, options));
  return {
    count: keys.length,
    bytesMax: Math.max(...templates.map((template) => template.message.length)),
    write(index, target, at) {
      const template = templates[index % templates.length] as Template;
      target.set(template.message, at);
      secrets.copy(target, at + template.keyAt, index * keyLength, (index + 1) * keyLength);
      return template.message.length;
    },
  };
}

function createTemplate(caller: number, options: RequestOptions): Template {
  const body = CheckRequest.encode(checkRequest(caller, options)).finish();
  const message = Buffer.alloc(5 + body.length);
  message.writeUInt32BE(body.length, 1);
  message.set(body, 5);
  return { message, keyAt: message.indexOf(placeholder) };
}

/** What Envoy 1.40 sends for a JSON call over HTTP/1.1, one line of `context_extensions` included. */
function checkRequest(caller: number, { raw, asksForMore }: RequestOptions): CheckRequest {
  const path = `/v1/accounts/acc_${10_482 + caller}/messages?limit=50&after=msg_${70_311 + caller}`;
  const headers = callerHeaders(caller, path);
  const http: AttributeContext_HttpRequest = {
    id: `${9_230_117_446_051_322_000n + BigInt(caller)}`,
    method: 'POST',
    headers: raw ? {} : headers,
    headerMap: raw ? { headers: Object.entries(headers).map(rawHeader) } : undefined,
    path,
    host: 'api.example.com',
    scheme: 'https',
    query: '',
    fragment: '',
    size: 348,
    protocol: 'HTTP/1.1',
    body: '',
    rawBody: new Uint8Array(0),
  };
  return {
    attributes: {
      source: peer(`203.0.113.${10 + caller}`, 40_112 + caller),
      destination: peer('10.0.12.7', 8443),
      request: { time: { seconds: 1_767_225_600, nanos: 481_516_000 }, http },
      contextExtensions: {
        scheme: 'postern',
        environment: 'live',
        ...(asksForMore && { permissions: 'erase' }),
      },
      metadataContext: { filterMetadata: {}, typedFilterMetadata: {} },
      routeMetadataContext: { filterMetadata: {}, typedFilterMetadata: {} },
      tlsSession: undefined,
    },
  };
}

function callerHeaders(caller: number, path: string): Record<string, string> {
  return {
    ':authority': 'api.example.com',
    ':method': 'POST',
    ':path': path,
    ':scheme': 'https',
    'user-agent':
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36',
    accept: 'application/json, text/plain, */*',
    'accept-encoding': 'gzip, deflate, br, zstd',
    'accept-language': 'en-GB,en;q=0.9,de;q=0.8',
    authorization: `Bearer ${placeholder}`,
    'content-length': '348',
    'content-type': 'application/json',
    origin: 'https://console.example.com',
    referer: 'https://console.example.com/accounts',
    'x-forwarded-for': `203.0.113.${10 + caller}`,
    'x-forwarded-proto': 'https',
    'x-request-id': `6f1c2f0e-4c86-4b0e-9a2f-1d5b7c3e8f0${caller}`,
  };
}

function rawHeader([key, value]: [string, string]) {
  return { key, value: '', rawValue: Buffer.from(value) };
}

function peer(address: string, port: number) {
  const socketAddress = {
    protocol: 0 as const,
    address,
    portSpecifier: { $case: 'portValue' as const, value: port },
    resolverName: '',
    ipv4Compat: false,
  };
  return {
    address: { address: { $case: 'socketAddress' as const, value: socketAddress } },
    service: '',
    labels: {},
    principal: '',
    certificate: '',
  };
}
