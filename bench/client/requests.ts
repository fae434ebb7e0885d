import type { AttributeContext_HttpRequest } from '../../src/grpc/gen/envoy/service/auth/v3/attribute_context.ts';
import { CheckRequest } from '../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';
import { keyLength } from '../common/keys.ts';
import type { RequestVariant } from '../common/kinds.ts';

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
  readonly variant: RequestVariant;
}

interface Template {
  readonly message: Buffer;
  /** Where the key goes, once or several times. */
  readonly keysAt: readonly number[];
  /** Where the caller's address goes; null where that is the template's own. */
  readonly addressAt: number | null;
}

const placeholder = '~'.repeat(keyLength);
/** As long as every address of a crowd. */
const addressPlaceholder = '#'.repeat('100.100.100.100'.length);
const templatesCount = 8;
/** Callers of a crowd. */
const crowd = 50_000;

/**
 * One request per key. All that differs between two of them is the key and, in turn, one of eight callers, or one of
 * 50 000, so a request costs a copy of its template and of the key: the client has to be cheaper than any server.
 */
export function createRequests(keys: readonly string[], options: RequestOptions): Requests {
  const secrets = Buffer.from(keys.join(''), 'latin1');
  const templates = Array.from({ length: templatesCount }, (_, caller) => createTemplate(caller, options));
  const addresses = crowdAddresses(options.variant);
  return {
    count: keys.length,
    bytesMax: Math.max(...templates.map((template) => template.message.length)),
    write(index, target, at) {
      const { message, keysAt, addressAt } = templates[index % templates.length] as Template;
      target.set(message, at);
      for (const keyAt of keysAt)
        secrets.copy(target, at + keyAt, index * keyLength, (index + 1) * keyLength);
      if (addressAt !== null) {
        const from = (index % crowd) * addressPlaceholder.length;
        addresses.copy(target, at + addressAt, from, from + addressPlaceholder.length);
      }
      return message.length;
    },
  };
}

/** One after another, all of one length: 100.… is on the allowlists that the service has, 150.… is not. */
function crowdAddresses({ callers }: RequestVariant): Buffer {
  if (callers === 'few') return Buffer.alloc(0);
  const first = callers === 'many within' ? 100 : 150;
  const octet = (number: number) => 100 + (number & 127);
  return Buffer.from(
    Array.from(
      { length: crowd },
      (_, at) => `${first}.${octet(at >> 14)}.${octet(at >> 7)}.${octet(at)}`,
    ).join(''),
    'latin1',
  );
}

function createTemplate(caller: number, options: RequestOptions): Template {
  const body = CheckRequest.encode(checkRequest(caller, options)).finish();
  const message = Buffer.alloc(5 + body.length);
  message.writeUInt32BE(body.length, 1);
  message.set(body, 5);
  const addressAt = message.indexOf(addressPlaceholder);
  return { message, keysAt: placesOf(placeholder, message), addressAt: addressAt === -1 ? null : addressAt };
}

function placesOf(text: string, message: Buffer): number[] {
  const places: number[] = [];
  for (let at = message.indexOf(text); at !== -1; at = message.indexOf(text, at + text.length))
    places.push(at);
  return places;
}

/** What Envoy 1.40 sends for a JSON call over HTTP/1.1, one line of `context_extensions` included. */
function checkRequest(caller: number, { raw, variant }: RequestOptions): CheckRequest {
  const path = `/v1/accounts/acc_${10_482 + caller}/messages?limit=50&after=msg_${70_311 + caller}`;
  const headers = callerHeaders(caller, path, variant.authorization);
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
      source: peer(
        variant.callers === 'few' ? `203.0.113.${10 + caller}` : addressPlaceholder,
        40_112 + caller,
      ),
      destination: peer('10.0.12.7', 8443),
      request: { time: { seconds: 1_767_225_600, nanos: 481_516_000 }, http },
      contextExtensions: {
        scheme: 'postern',
        environment: 'live',
        ...variant.context,
      },
      metadataContext: { filterMetadata: {}, typedFilterMetadata: {} },
      routeMetadataContext: { filterMetadata: {}, typedFilterMetadata: {} },
      tlsSession: undefined,
    },
  };
}

function callerHeaders(caller: number, path: string, authorization: string | null): Record<string, string> {
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
    ...(authorization !== null && { authorization: authorization.replaceAll('~', placeholder) }),
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
