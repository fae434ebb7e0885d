import { z } from 'zod';
import { readName } from '../../check/reserved-headers.ts';
import { type UpstreamSettings, type UpstreamSource, upstreamSources } from '../../check/upstream.ts';
import type { IdentityTokenSettings } from '../../identity/tokens.ts';
import type { Listen } from '../../net/listen.ts';
import type { TlsFiles } from '../../net/tls.ts';
import type { Cleartext, Mode, Scheme } from '../../schemes/scheme.ts';
import type { ConfigProblem } from '../config-problem.ts';
import { suggestion } from '../nearest-name.ts';
import { duration, headerName, listen, neededHeaders, reloadable, text, tls } from '../setting-forms.ts';

/** What is settled for all requests, apart from any scheme. */
export interface TrafficConfig extends Omit<UpstreamSettings, 'identityToken'> {
  /** Where neither route, rule nor scheme names one. */
  readonly mode: Mode;
  /** The same, of what came in clear text. */
  readonly cleartext: Cleartext;
  /** Where proxies ask over HTTP; null where none may. */
  readonly httpCheck: HttpCheckConfig | null;
  readonly requestLog: RequestLogConfig;
  /** The signed identity that upstreams are told; null for none. */
  readonly identityToken: IdentityTokenSettings | null;
}

export interface HttpCheckConfig {
  readonly listen: Listen;
  /** Names the caller's address, in lower case; null for the peer's. */
  readonly addressHeader: string | null;
  readonly tls: TlsFiles | null;
}

/** Whether what is decided holds or is only observed. */
export const mode = z.enum(['enforce', 'observe'], { error: 'expected enforce or observe' });

/** What becomes of requests that came in clear text. */
export const cleartext = z.enum(['allow', 'deny', 'revoke'], { error: 'expected allow, deny or revoke' });

const upstreamHeadersMax = 32;

/** Those that {@link identityOf} sets. */
const identityNames = ['key-id', 'owner', 'scheme', 'environment', 'permissions'].map(
  (name) => `x-postern-${name}`,
);

const upstreamHeader = headerName.transform((given, context) => {
  const problem = neededHeaders.includes(given)
    ? 'is a header that a request needs; expected another'
    : identityNames.includes(readName(given))
      ? 'is a header that Postern sets by itself, see identity_headers; expected another'
      : null;
  if (problem === null) return given;
  context.addIssue(problem);
  return z.NEVER;
});

const labelForm = /^(owner_)?labels\.([^\0]{1,256})$/s;

const upstreamSource = z.string().transform((given, context): UpstreamSource => {
  const known = upstreamSources.find((source) => source === given);
  if (known !== undefined) return known;
  const [, ofOwner, label] = labelForm.exec(given) ?? [];
  if (label !== undefined) return { of: ofOwner === undefined ? 'key' : 'owner', label };
  const names = [...upstreamSources, 'labels.NAME', 'owner_labels.NAME'];
  context.addIssue(`expected one of ${names.join(', ')}${suggestion(given, names)}`);
  return z.NEVER;
});

export const upstreamHeadersSpec = z
  .record(upstreamHeader, upstreamSource)
  .refine((headers) => Object.keys(headers).length <= upstreamHeadersMax, {
    error: `expected ${upstreamHeadersMax} headers at the most`,
  })
  .refine((headers) => new Set(Object.keys(headers).map(readName)).size === Object.keys(headers).length, {
    error: 'names one header twice, as upstreams read names; expected each once',
  })
  .transform((headers): ReadonlyMap<string, UpstreamSource> => new Map(Object.entries(headers)));

export const httpCheckSpec = z.strictObject({
  listen: listen
    .optional()
    .describe('Where Checks are asked over HTTP, at /check: host:port or unix:/path (default: nowhere).'),
  address_header: headerName
    .optional()
    .describe("The header in which the proxy names the caller's address (default: the peer's)."),
  tls: tls.describe('TLS of this listener; read again when the files change (default: none).'),
});

/** The settings of this page as the Config has them. */
export function trafficOf(settings: {
  readonly mode: Mode;
  readonly cleartext: Cleartext;
  readonly upstream_headers: ReadonlyMap<string, UpstreamSource>;
  readonly identity_headers: boolean;
  readonly http_check: z.output<typeof httpCheckSpec>;
  readonly request_log: z.output<typeof requestLogSpec>;
  readonly identity_token?: z.output<typeof identityTokenSpec> | undefined;
}): TrafficConfig {
  return {
    mode: settings.mode,
    cleartext: settings.cleartext,
    upstreamHeaders: settings.upstream_headers,
    identityHeaders: settings.identity_headers,
    httpCheck: httpCheckOf(settings.http_check),
    requestLog: requestLogOf(settings.request_log),
    identityToken: identityTokenOf(settings.identity_token),
  };
}

const tokenText = text(/^[\x21-\x7e]{1,512}$/, 'expected up to 512 printable ASCII characters');

export const identityTokenSpec = z.strictObject({
  header: upstreamHeader.prefault('x-postern-token').describe('The header that it is told in.'),
  issuer: tokenText.describe('Its iss, such as the URL of this service.'),
  audience: z
    .union([tokenText, z.array(tokenText).min(1).max(32)], { error: 'expected a text, or a list of them' })
    .optional()
    .describe('Its aud, a text or a list (default: none).'),
  expires_in: duration(10_000, 86_400_000)
    .prefault('5m')
    .describe('How long it is valid; it is made anew after half of that.'),
});

function httpCheckOf({
  listen,
  address_header,
  tls,
}: z.output<typeof httpCheckSpec>): HttpCheckConfig | null {
  if (listen === undefined) return null;
  return { listen, addressHeader: address_header ?? null, tls: tls ?? null };
}

function identityTokenOf(
  given: z.output<typeof identityTokenSpec> | undefined,
): IdentityTokenSettings | null {
  if (given === undefined) return null;
  const { header, issuer, audience, expires_in } = given;
  return { header, issuer, audience: audience ?? null, expiresInMs: expires_in };
}

/** Headers that are to be told and are taken out at the same time, since a key may sit there. */
export function upstreamProblems(
  headers: ReadonlyMap<string, UpstreamSource>,
  schemes: readonly Scheme[],
): ConfigProblem[] {
  return [...headers.keys()].flatMap((name) => {
    const scheme = schemes.find(({ places }) =>
      places.some((place) => place.kind === 'header' && readName(place.name) === readName(name)),
    );
    if (scheme === undefined) return [];
    const message = `is where ${scheme.name} looks for a key; expected another header`;
    return [{ path: ['upstream_headers', name], message }];
  });
}

/** What is kept of each request. */
export const requestLogSpec = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('Whether requests are logged by key, method, host, path, address and what became of them.')
    .register(reloadable, { isList: false }),
  retention: duration(60_000, 3_650 * 86_400_000)
    .prefault('7d')
    .describe('How long they are kept.'),
  rows_max: z
    .int()
    .min(1_000)
    .max(1_000_000_000)
    .default(1_000_000)
    .describe('How many rows are kept in all, on all replicas; the oldest go first.'),
});

export interface RequestLogConfig {
  readonly isEnabled: boolean;
  readonly retentionMs: number;
  readonly rowsMax: number;
}

function requestLogOf(settings: z.output<typeof requestLogSpec>): RequestLogConfig {
  const { enabled: isEnabled, retention: retentionMs, rows_max: rowsMax } = settings;
  return { isEnabled, retentionMs, rowsMax };
}
