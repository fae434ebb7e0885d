import type { CheckedKey } from '../keys/key.ts';
import type { Digest } from '../keys/secret.ts';
import type { KeyPage, StoredKey } from '../store/records/key-pages.ts';

/**
 * A key on its way to a Check worker, as a text that has what a Check asks for. A copy of the whole record takes both
 * ends more than twice the time, which is felt where many keys are asked for the first time.
 */
export type SentKey = string;

export function sendKey(key: CheckedKey): SentKey {
  return JSON.stringify([ownOf(key), termsOf(key)] satisfies Sent);
}

export function takeKey(text: SentKey): CheckedKey {
  const [own, terms]: Sent = JSON.parse(text);
  return keyOf(own, terms);
}

/** The same of many, as one text. What keys have in common is in it once: most of what there is to say of most keys. */
export interface SentKeyPage extends Omit<KeyPage, 'keys'> {
  readonly keys: string;
}

export function sendKeyPage({ keys, ...page }: KeyPage): SentKeyPage {
  const places = new Map<string, number>();
  let [latest, place] = ['', 0];
  const sent = keys.map(({ digest, key }): SentInPage => {
    const terms = JSON.stringify(termsOf(key));
    // Most keys are as the one before: to compare takes less than to look for a text.
    if (terms !== latest) {
      place = places.get(terms) ?? places.size;
      if (place === places.size) places.set(terms, place);
      latest = terms;
    }
    return [digest, place, ...ownOf(key)];
  });
  return { ...page, keys: `[[${[...places.keys()].join(',')}],${JSON.stringify(sent)}]` };
}

/** Keys that have terms in common have the very same lists. */
export function takeKeyPage({ keys, ...page }: SentKeyPage): KeyPage {
  const [terms, sent]: readonly [Terms[], SentInPage[]] = JSON.parse(keys);
  return {
    ...page,
    keys: sent.map(([digest, place, ...own]): StoredKey => {
      return { digest, key: keyOf(own, terms[place] as Terms) };
    }),
  };
}

type Of<Member extends keyof CheckedKey> = CheckedKey[Member];

/** What is of one key; the spender is null for one that spends its own units. */
type Own = readonly [Of<'id'>, Of<'name'>, Of<'owner'>, Of<'expiresAt'>, Of<'spender'> | null];

/** What many keys have in common. */
type Terms = readonly [
  ...[Of<'scheme'>, Of<'environment'>, Of<'permissions'>, Of<'roles'>, Of<'ipAllowlist'>, Of<'principals'>],
  ...[Of<'plan'>, Of<'rateLimits'>, Of<'labels'>, Of<'disabledAt'>, Of<'revokedAt'>, Of<'version'>],
];

type Sent = readonly [own: Own, terms: Terms];
type SentInPage = readonly [digest: Digest, terms: number, ...own: Own];

function ownOf({ id, name, owner, expiresAt, spender }: CheckedKey): Own {
  return [id, name, owner, expiresAt, spender === id ? null : spender];
}

function termsOf(key: CheckedKey): Terms {
  const { scheme, environment, permissions, roles, ipAllowlist, principals } = key;
  const { plan, rateLimits, labels, disabledAt, revokedAt, version } = key;
  return [
    ...([scheme, environment, permissions, roles, ipAllowlist, principals] as const),
    ...([plan, rateLimits, labels, disabledAt, revokedAt, version] as const),
  ];
}

function keyOf(own: Own, terms: Terms): CheckedKey {
  const [id, name, owner, expiresAt, spender] = own;
  return {
    ...{ id, name, owner, expiresAt, spender: spender ?? id, scheme: terms[0], environment: terms[1] },
    ...{
      permissions: terms[2],
      roles: terms[3],
      ipAllowlist: terms[4],
      principals: terms[5],
      plan: terms[6],
    },
    ...{
      rateLimits: terms[7],
      labels: terms[8],
      disabledAt: terms[9],
      revokedAt: terms[10],
      version: terms[11],
    },
  };
}
