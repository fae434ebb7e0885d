import type { Allowed } from './authorize.ts';
import { ownHeaders, type ReservedHeaders, readName } from './reserved-headers.ts';

/** What a header for the upstream may tell, by the names that settings have for it. */
export const upstreamSources = [
  ...(['key_id', 'key_name', 'owner', 'scheme', 'environment', 'permissions', 'plan'] as const),
];
/** One of {@link upstreamSources}, or a label of the key or of its owner. */
export type UpstreamSource =
  | (typeof upstreamSources)[number]
  | { readonly of: 'key' | 'owner'; readonly label: string };

/** What the settings say of requests that go on to the upstream. */
export interface UpstreamSettings {
  /** Header, in lower case → what it tells. */
  readonly upstreamHeaders: ReadonlyMap<string, UpstreamSource>;
  /** Whether the five headers `x-postern-…` are set. */
  readonly identityHeaders: boolean;
  /** The header of a signed identity, in lower case; null for none. */
  readonly identityToken: { readonly header: string } | null;
}

export type HeaderPair = readonly [name: string, value: string];

/** What the upstream is told of a key that is allowed, beside `x-postern-…`, and what no client may tell it. */
export interface Upstream {
  readonly identityHeaders: boolean;
  /** What is removed of every request, whatever becomes of it. */
  readonly reserved: ReservedHeaders;
  /** Each name once; what is not known is not there. */
  headersFor(allowed: Allowed): readonly HeaderPair[];
  /** The signed identity, the same as long as it holds; null for none. */
  readonly tokenFor: TokenFor;
}

/** A header, and what a wire writes for it once it has: null before. It is kept here since a map of them costs more. */
export type TokenHeader = [name: string, value: string, written: Uint8Array | null];

export type TokenFor = (allowed: Allowed) => TokenHeader | null;

const none: readonly HeaderPair[] = [];

const noToken: TokenFor = () => null;

export function createUpstream(
  { upstreamHeaders, identityHeaders, identityToken }: UpstreamSettings,
  tokenFor: TokenFor = noToken,
): Upstream {
  const wanted = [...upstreamHeaders];
  const ofToken = identityToken === null ? [] : [identityToken.header];
  const names = [...wanted.map(([name]) => name), ...ofToken].map(readName);
  return {
    identityHeaders,
    reserved: names.length === 0 ? ownHeaders : { ...ownHeaders, names },
    tokenFor: identityToken === null ? noToken : tokenFor,
    headersFor(allowed) {
      if (wanted.length === 0) return none;
      return wanted.flatMap(([name, source]): HeaderPair[] => {
        const text = textOf(source, allowed);
        const value = text === null ? '' : headerValue(text);
        return value === '' ? [] : [[name, value]];
      });
    },
  };
}

/** Where the settings say nothing of it. */
export const plainUpstream = createUpstream({
  upstreamHeaders: new Map(),
  ...{ identityHeaders: true, identityToken: null },
});

/** The five headers that name the key and what it may do, each once. */
export function identityOf({
  key,
  permissions,
}: Pick<Allowed, 'key' | 'permissions'>): readonly HeaderPair[] {
  const { owner } = key;
  return [
    ['x-postern-key-id', key.id],
    ...(owner === null ? none : [['x-postern-owner', owner] as const]),
    ['x-postern-scheme', key.scheme],
    ['x-postern-environment', key.environment],
    ...(permissions.length === 0 ? none : [['x-postern-permissions', permissions.join(',')] as const]),
  ];
}

function textOf(source: UpstreamSource, { key, permissions, owner, plan }: Allowed): string | null {
  if (typeof source === 'object')
    return labelOf((source.of === 'key' ? key : owner)?.labels ?? {}, source.label);
  switch (source) {
    case 'key_id':
      return key.id;
    case 'key_name':
      return key.name;
    case 'owner':
      return key.owner;
    case 'scheme':
      return key.scheme;
    case 'environment':
      return key.environment;
    case 'permissions':
      return permissions.join(',');
    case 'plan':
      return plan;
  }
}

function labelOf(labels: Readonly<Record<string, string>>, name: string): string | null {
  return Object.hasOwn(labels, name) ? (labels[name] ?? null) : null;
}

/** No character that a header's value cannot have (RFC 9110 §5.5): Envoy would refuse the whole answer for it. */
function headerValue(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}
