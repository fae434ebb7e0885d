/** Units of a limit of a key, as Envoy's rate limit service is asked for them. */
export interface LimitHit {
  readonly keyId: string;
  /** Null where none is named. */
  readonly limit: string | null;
  /** 0 only looks, less than 0 gives back. */
  readonly units: number;
}

/** How a limit stands after its units were charged. */
export interface LimitStatus {
  readonly name: string;
  readonly limit: number;
  /** Envoy's, where it has one. */
  readonly unit: 'SECOND' | 'MINUTE' | 'HOUR' | 'DAY' | 'MONTH' | null;
  readonly remaining: number;
  /** Whether nothing was left before. */
  readonly wasSpent: boolean;
  /** Whole seconds; null for never. */
  readonly resetsInSeconds: number | null;
}

/** Charges all of them or none; a text says what is wrong with them, and that nothing was charged. */
export type ChargeHits = (hits: readonly LimitHit[]) => Promise<readonly LimitStatus[] | string>;
