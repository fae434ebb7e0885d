import type { Model } from './model.ts';
import type { Expiry } from './step.ts';

/** What of a call says when a key is to end. */
export function expiryInput(model: Model, expiry: Expiry): Record<string, unknown> {
  const at = (ms: number) => new Date(model.now + ms).toISOString();
  if (expiry === 'none') return {};
  if (expiry === 'never') return { expires_in: 'never' };
  if (expiry === 'both') return { expires_in: '1d', expires_at: at(1_000) };
  return 'in' in expiry ? { expires_in: `${expiry.in}ms` } : { expires_at: at(expiry.at) };
}

export function isPast(expiry: Expiry): boolean {
  return typeof expiry === 'object' && 'at' in expiry && expiry.at <= 0;
}

export function isBadExpiry(expiry: Expiry): boolean {
  return expiry === 'both' || isPast(expiry);
}

/** Undefined where nothing is said of it. */
export function expiresAt(model: Model, expiry: Expiry): number | null | undefined {
  if (expiry === 'none') return undefined;
  if (expiry === 'never' || expiry === 'both') return null;
  return model.now + ('in' in expiry ? expiry.in : expiry.at);
}
