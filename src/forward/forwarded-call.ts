import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** A request that a proxy asks about, as data alone: another thread judges it. */
export interface ForwardedCall {
  readonly method: string;
  readonly host: string;
  /** With its query. */
  readonly path: string;
  readonly isCleartext: boolean;
  /** Empty for what no allowlist has. */
  readonly address: string;
  /** What the query of `/check` says of the route, by the names of `context_extensions`. */
  readonly context: readonly (readonly [name: string, text: string])[];
  /** Why that query cannot be used; null where it can. */
  readonly misconfigured: string | null;
  /** Whether what tells of the original request came twice, so that nobody knows which one is meant. */
  readonly isAmbiguous: boolean;
  /** Names and values of the headers in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

export interface ForwardedCallOptions {
  /** Names the caller's address, in lower case; null for the peer's. */
  readonly addressHeader: string | null;
}

const checkPath = '/check';

/** Of the original request, in the order in which they count. */
const told = {
  method: ['x-forwarded-method', 'x-original-method'],
  host: ['x-forwarded-host'],
  uri: ['x-forwarded-uri', 'x-original-uri', 'x-original-url'],
  proto: ['x-forwarded-proto'],
} as const;
/** Those that a chain of proxies joins with commas. */
const joinable: readonly string[] = [...told.method, ...told.host, ...told.proto];

/**
 * The original request of a subrequest, as `auth_request` of nginx, `forward_auth` of Caddy and Traefik and Envoy's
 * HTTP ext_authz send it: from headers where they are there, each by itself, else the subrequest's own. Null where
 * its path is neither `/check` nor below it.
 */
export function forwardedCallOf(
  request: Pick<IncomingMessage, 'method' | 'url' | 'rawHeaders' | 'socket'>,
  { addressHeader }: ForwardedCallOptions,
): ForwardedCall | null {
  const { url = '', rawHeaders } = request;
  const [own, ownQuery] = splitAt(url, '?');
  if (own !== checkPath && !own.startsWith(`${checkPath}/`)) return null;
  const values = (name: string) => valuesOf(rawHeaders, name);
  const first = (names: readonly string[]) => names.flatMap(values)[0];
  const behind = url.slice(checkPath.length);
  const uri = first(told.uri);
  const path = uri === undefined ? (own === checkPath ? '/' : behind) : pathOf(uri);
  const proto = first(told.proto) ?? ('encrypted' in request.socket ? 'https' : 'http');
  return {
    method: first(told.method) ?? request.method ?? '',
    host: first(told.host) ?? values('host')[0] ?? '',
    path,
    isCleartext: proto.toLowerCase() === 'http',
    address: addressOf(request.socket, addressHeader === null ? [] : values(addressHeader)),
    ...contextIn(own === checkPath ? ownQuery : '', path),
    isAmbiguous: Object.values(told).some((names) => names.some((name) => isSeveral(name, values(name)))),
    rawHeaders,
  };
}

/** Node keeps one value of some headers that came twice; `rawHeaders` has all. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

function isSeveral(name: string, values: readonly string[]): boolean {
  return values.length > 1 || (joinable.includes(name) && values.some((value) => value.includes(',')));
}

/** Of a whole URL too, as nginx's ingress sends it. */
function pathOf(uri: string): string {
  const whole = /^https?:\/\/[^/?#]*/i.exec(uri)?.[0];
  if (whole === undefined) return uri;
  const rest = uri.slice(whole.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** What the operator's query says; what the client's query says, too, came from the client. */
function contextIn(query: string, path: string): Pick<ForwardedCall, 'context' | 'misconfigured'> {
  const context = [...new URLSearchParams(query)];
  if (context.length === 0) return { context, misconfigured: null };
  const asked = new URLSearchParams(splitAt(path, '?')[1]);
  if (context.some(([name, text]) => asked.getAll(name).includes(text))) {
    const why =
      'the query of /check has a parameter of the original request: the proxy passes its query on (Caddy: write uri /check?)';
    return { context: [], misconfigured: why };
  }
  if (new Set(context.map(([name]) => name)).size < context.length)
    return { context: [], misconfigured: 'the query of /check says one thing twice' };
  return { context, misconfigured: null };
}

/** One address; what is none, or several, is one that no allowlist has. */
function addressOf(
  { remoteAddress = '' }: { readonly remoteAddress?: string | undefined },
  values: readonly string[],
): string {
  const [value = remoteAddress, another] = values;
  if (another !== undefined) return '';
  const address = value.trim().replace(/^::ffff:(?=[0-9.]+$)/i, '');
  return isIP(address) === 0 || address.includes('%') ? '' : address;
}

function splitAt(text: string, mark: string): [before: string, after: string] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
