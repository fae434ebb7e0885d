import { z } from 'zod';
import { readName } from '../check/reserved-headers.ts';
import { type UpstreamSettings, type UpstreamSource, upstreamSources } from '../check/upstream.ts';
import type { Cleartext, Mode, Scheme } from '../schemes/scheme.ts';
import type { ConfigProblem } from './config-problem.ts';
import { suggestion } from './nearest-name.ts';
import { neededHeaders, text } from './setting-forms.ts';

/** What is settled for all requests, apart from any scheme. */
export interface TrafficConfig extends UpstreamSettings {
  /** Where neither route, rule nor scheme names one. */
  readonly mode: Mode;
  /** The same, of what came in clear text. */
  readonly cleartext: Cleartext;
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

const upstreamHeader = text(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'expected a header name').transform(
  (given, context) => {
    const name = given.toLowerCase();
    const problem = neededHeaders.includes(name)
      ? 'is a header that a request needs; expected another'
      : identityNames.includes(readName(name))
        ? 'is a header that Postern sets by itself, see identity_headers; expected another'
        : null;
    if (problem === null) return name;
    context.addIssue(problem);
    return z.NEVER;
  },
);

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

/** The settings of this page as the Config has them. */
export function trafficOf(settings: {
  readonly mode: Mode;
  readonly cleartext: Cleartext;
  readonly upstream_headers: ReadonlyMap<string, UpstreamSource>;
  readonly identity_headers: boolean;
}): TrafficConfig {
  return {
    mode: settings.mode,
    cleartext: settings.cleartext,
    upstreamHeaders: settings.upstream_headers,
    identityHeaders: settings.identity_headers,
  };
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
