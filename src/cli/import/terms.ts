import { RowError } from './row.ts';

/** What the one who imports says of an export of another product. */
export interface ExportTerms {
  /** Unix milliseconds at which it was written; null where that is not said. */
  readonly exportedAtMs: number | null;
  /** What held for the keys there, and is knowingly left behind. */
  readonly without: ReadonlySet<string>;
}

/** A key that was held by something that is not taken over would reach further here, or spend more. */
export function requireLeftBehind(names: readonly string[], { without }: ExportTerms): void {
  const lost = [...new Set(names)].filter((name) => !without.has(name));
  if (lost.length === 0) return;
  throw new RowError(
    '',
    `is held by ${lost.join(', ')}, which is not taken over; see to it in Postern (a plan, a rule, an allowlist), then say --without ${lost.join(',')}`,
  );
}
