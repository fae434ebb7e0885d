import type { IdentityKeyRecord } from '../store/records/identity-keys.ts';

export interface KeySetTimes {
  /** How long tokens are valid. */
  readonly expiresInMs: number;
  /** Unix milliseconds. */
  readonly now: number;
}

/** A key is published so long before it signs: whoever keeps a JWKS has asked for it again by then. */
export const leadMs = 15 * 60_000;
/** After so long another key is made. */
export const rotateMs = 30 * 86_400_000;
/** For clocks that differ. */
const skewMs = 5 * 60_000;

/** Which of the keys signs, which are published, and which generation is the first that somebody may still need. */
export function keySetOf(
  records: readonly IdentityKeyRecord[],
  { expiresInMs, now }: KeySetTimes,
): {
  readonly signing: IdentityKeyRecord | null;
  readonly published: readonly IdentityKeyRecord[];
  readonly neededFrom: number;
} {
  const [first, ...others] = records;
  if (first === undefined) return { signing: null, published: [], neededFrom: 1 };
  // Of the first nobody has kept a JWKS without it.
  const signing = others.findLast(({ createdAt }) => createdAt + leadMs <= now) ?? first;
  const published = records.filter((record, at) => {
    if (record.generation >= signing.generation) return true;
    const next = records[at + 1];
    // The last token that it signed ends so long after the next began to sign.
    return next !== undefined && now < next.createdAt + leadMs + expiresInMs + skewMs;
  });
  return { signing, published, neededFrom: published[0]?.generation ?? signing.generation };
}
