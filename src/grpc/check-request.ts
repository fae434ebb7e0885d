import type { AccessRequest } from '../request.ts';
import type {
  AttributeContext_HttpRequest,
  AttributeContext_Peer,
} from './gen/envoy/service/auth/v3/attribute_context.ts';
import { CheckRequest } from './gen/envoy/service/auth/v3/external_auth.ts';

/**
 * Reads what Envoy asks. Null when it is not about an HTTP request, as from a TCP listener. Throws when the
 * bytes are no CheckRequest.
 */
export function readCheckRequest(bytes: Uint8Array): AccessRequest | null {
  const { attributes } = CheckRequest.decode(bytes);
  const http = attributes?.request?.http;
  if (attributes === undefined || http === undefined) return null;
  const headers = headersOf(http);
  return {
    method: http.method,
    host: http.host,
    path: http.path,
    address: addressOf(attributes.source),
    context: new Map(Object.entries(attributes.contextExtensions)),
    header: (name) => headers.filter((header) => header.name === name).map((header) => header.value),
    headersStarting: (prefix) => [
      ...new Set(headers.map(({ name }) => name).filter((name) => name.startsWith(prefix))),
    ],
  };
}

interface Header {
  readonly name: string;
  readonly value: string;
}

/**
 * With `encode_raw_headers` Envoy sends every header apart and as bytes; without, a map in which repeated
 * ones are joined by a comma. Bytes are read as Latin-1, so that nothing turns into a character it was not.
 */
function headersOf(http: AttributeContext_HttpRequest): Header[] {
  const raw = http.headerMap?.headers ?? [];
  const apart = raw.map(({ key, value, rawValue }) => ({
    name: key.toLowerCase(),
    value: rawValue.length > 0 ? Buffer.from(rawValue).toString('latin1') : value,
  }));
  const joined = Object.entries(http.headers).map(([key, value]) => ({ name: key.toLowerCase(), value }));
  return apart.length > 0 ? apart : joined;
}

function addressOf(peer: AttributeContext_Peer | undefined): string {
  const address = peer?.address?.address;
  return address?.$case === 'socketAddress' ? address.value.address : '';
}
