/**
 * What a Check presents: a key that exists; one that is well formed and does not; one that was revoked; one that lacks
 * a permission that the route asks for; one whose checksum is wrong; and one for each other reason of a denial.
 */
export const kinds = [
  'hit',
  'miss',
  'revoked',
  'permission',
  'malformed',
  'missing',
  'ambiguous',
  'environment',
  'disabled',
  'expired',
  'owner',
  'address',
  'limit',
  'window',
] as const;
export type Kind = (typeof kinds)[number];

/** How the request of a kind differs from that of a hit. */
export interface RequestVariant {
  /** The credential; `~` stands for the key. */
  readonly authorization: string | null;
  /** What the route says, beside the scheme and the environment. */
  readonly context: Readonly<Record<string, string>>;
  /** The callers: eight of them, or so many different ones that the service's allowlists hold, or do not. */
  readonly callers: 'few' | 'many within' | 'many without';
}

const usual: RequestVariant = { authorization: 'Bearer ~', context: {}, callers: 'few' };

const variants: Partial<Record<Kind, Partial<RequestVariant>>> = {
  permission: { context: { permissions: 'erase' } },
  missing: { authorization: null },
  ambiguous: { authorization: 'Bearer ~, Bearer ~' },
  environment: { context: { environment: 'test' } },
  address: { callers: 'many without' },
  limit: { context: { cost: '2' } },
};

/** @param isCrowd whether callers are many: where the kind says nothing else, ones that may pass */
export function requestVariant(kind: Kind, isCrowd: boolean): RequestVariant {
  const callers = isCrowd ? 'many within' : 'few';
  return { ...usual, callers, ...variants[kind] };
}

/** What a Check has to come to, as HTTP statuses: see `Outcome`. */
export function expectedStatus(kind: Kind): number | null {
  if (kind === 'hit' || kind === 'window') return null;
  if (kind === 'owner') return 402;
  if (kind === 'limit') return 429;
  return kind === 'permission' || kind === 'address' ? 403 : 401;
}

/** Whether the key may pass but for what the request or its limit says, so that who judges the key alone allows it. */
export function isAboutRequest(kind: Kind): boolean {
  return ['permission', 'environment', 'address', 'limit'].includes(kind);
}
