/** A private key that identity tokens are signed with. */
export interface IdentityKeyRecord {
  /** Counts from 1. */
  readonly generation: number;
  /** PKCS #8 as PEM, of P-256. */
  readonly privateKey: string;
  /** Unix milliseconds. */
  readonly createdAt: number;
}

/** The keys of identity tokens, which a fleet shares. */
export interface IdentityKeyStore {
  /** By generation, all that are there. */
  listIdentityKeys(): Promise<readonly IdentityKeyRecord[]>;
  /** Durable when it resolves; false where there is one of that generation, and then changes nothing. */
  addIdentityKey(record: IdentityKeyRecord): Promise<boolean>;
  /** Removes those of earlier generations. */
  removeIdentityKeysBefore(generation: number): Promise<void>;
}
