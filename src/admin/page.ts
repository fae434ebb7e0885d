import { pageSizeDefault, pageSizeMax } from './admin-input.ts';

/** Of one more than a page was read; the last one shown is given when there are more. */
export function cut<T>(
  found: readonly T[],
  size: number,
): { readonly shown: readonly T[]; readonly last: T | null } {
  const shown = found.slice(0, size);
  return { shown, last: found.length > size ? (shown.at(-1) ?? null) : null };
}

export function pageSize(asked: number | null | undefined): number {
  return Math.min(asked || pageSizeDefault, pageSizeMax);
}
