/** Header fields as HPACK tables hold them: judged once, when they are made, and not each time they are named. */

/** What a field is to a gRPC server. */
export const fieldKind = {
  other: 0,
  method: 1,
  scheme: 2,
  path: 3,
  authority: 4,
  contentType: 5,
  timeout: 6,
  encoding: 7,
  contentLength: 8,
  traceparent: 9,
  tracestate: 10,
  /** The request that has it is malformed (RFC 9113, section 8.1.1). */
  malformed: 11,
} as const;

export interface Field {
  readonly name: string;
  readonly value: string;
  readonly kind: number;
  /** Octets that it counts for, in the dynamic table and in the list (RFC 7541, section 4.1). */
  readonly bytes: number;
}

const fieldOverheadBytes = 32;

const kinds: ReadonlyMap<string, number> = new Map([
  [':method', fieldKind.method],
  [':scheme', fieldKind.scheme],
  [':path', fieldKind.path],
  [':authority', fieldKind.authority],
  ['content-type', fieldKind.contentType],
  ['grpc-timeout', fieldKind.timeout],
  ['grpc-encoding', fieldKind.encoding],
  ['content-length', fieldKind.contentLength],
  ['traceparent', fieldKind.traceparent],
  ['tracestate', fieldKind.tracestate],
  // Connection-specific fields (RFC 9113, section 8.2.2).
  ['connection', fieldKind.malformed],
  ['keep-alive', fieldKind.malformed],
  ['proxy-connection', fieldKind.malformed],
  ['transfer-encoding', fieldKind.malformed],
  ['upgrade', fieldKind.malformed],
]);

/** A token, in lower case. */
const name = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** Text without control characters; spaces only inside. */
const value = /^(?![ \t])[\t\x20-\x7e\x80-\xff]*(?<![ \t])$/;

/** `name` and `value` hold a byte in each character. */
export function createField(fieldName: string, fieldValue: string): Field {
  return {
    name: fieldName,
    value: fieldValue,
    kind: kindOf(fieldName, fieldValue),
    bytes: fieldName.length + fieldValue.length + fieldOverheadBytes,
  };
}

function kindOf(fieldName: string, fieldValue: string): number {
  if (!value.test(fieldValue)) return fieldKind.malformed;
  const known = kinds.get(fieldName);
  if (known !== undefined) return known;
  // Any other pseudo-header is none that a request may have: a colon is no token.
  if (!name.test(fieldName)) return fieldKind.malformed;
  return fieldName === 'te' && fieldValue !== 'trailers' ? fieldKind.malformed : fieldKind.other;
}

/** RFC 7541, appendix A, from index 1. */
export const staticTable: readonly Field[] = `
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`
  .trim()
  .split('\n')
  .map((line) => {
    const [, fieldName = '', fieldValue = ''] = /^(\S+) ?(.*)$/.exec(line) ?? [];
    return createField(fieldName, fieldValue);
  });
