import type { CheckedKey } from '../keys/key.ts';
import type { Digest } from '../keys/secret.ts';
import type { KeyPage } from '../store/records/key-pages.ts';

/**
 * A key on its way to a Check worker, as a text that has what a Check asks for. A copy of the whole record takes both
 * ends more than twice the time, which is felt where many keys are asked for the first time.
 */
export type SentKey = string;

export function sendKey(key: CheckedKey): SentKey {
  const { id, name, scheme, environment, owner, permissions, roles, ipAllowlist, plan, rateLimits } = key;
  const { labels, expiresAt, disabledAt, revokedAt, spender, version, principals } = key;
  const sent: Sent = [
    ...([id, name, scheme, environment, owner, permissions, roles, ipAllowlist, plan] as const),
    ...([rateLimits, labels, expiresAt, disabledAt, revokedAt, spender, version, principals] as const),
  ];
  return JSON.stringify(sent);
}

export function takeKey(text: SentKey): CheckedKey {
  const sent: Sent = JSON.parse(text);
  const [id, name, scheme, environment, owner, permissions, roles, ipAllowlist, plan, ...others] = sent;
  const [rateLimits, labels, expiresAt, disabledAt, revokedAt, spender, version, principals] = others;
  return {
    ...{ id, name, scheme, environment, owner, permissions, roles, ipAllowlist, plan, rateLimits },
    ...{ labels, expiresAt, disabledAt, revokedAt, spender, version, principals },
  };
}

/** The same of many: texts with as many parts, at the ends of lines. */
export interface SentKeyPage extends Omit<KeyPage, 'keys'> {
  readonly digests: string;
  readonly keys: string;
}

export function sendKeyPage({ keys, ...page }: KeyPage): SentKeyPage {
  return {
    ...page,
    digests: keys.map(({ digest }) => digest).join('\n'),
    keys: keys.map(({ key }) => sendKey(key)).join('\n'),
  };
}

export function takeKeyPage({ digests, keys, ...page }: SentKeyPage): KeyPage {
  const texts = keys === '' ? [] : keys.split('\n');
  const ofTexts = digests.split('\n') as Digest[];
  return { ...page, keys: texts.map((text, at) => ({ digest: ofTexts[at] as Digest, key: takeKey(text) })) };
}

type Of<Member extends keyof CheckedKey> = CheckedKey[Member];

type Sent = readonly [
  ...[Of<'id'>, Of<'name'>, Of<'scheme'>, Of<'environment'>, Of<'owner'>, Of<'permissions'>, Of<'roles'>],
  ...[Of<'ipAllowlist'>, Of<'plan'>, Of<'rateLimits'>, Of<'labels'>, Of<'expiresAt'>, Of<'disabledAt'>],
  ...[Of<'revokedAt'>, Of<'spender'>, Of<'version'>, Of<'principals'>],
];
