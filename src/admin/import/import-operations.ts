import type { ImportedKey } from '../../changes/key-import.ts';
import type { Registry } from '../../changes/registry.ts';
import type { FieldViolation } from '../../failure.ts';
import type { Digester } from '../../keys/secret.ts';
import { yieldToOthers } from '../../time/yield-to-others.ts';
import { readInput } from '../admin-input.ts';
import type { Call } from '../call.ts';
import type { FindHeldSecret } from '../held-secret.ts';
import type { KeyTerms } from '../keys/key-terms.ts';
import { importKeysInput } from './import-input.ts';
import { createImportedKeys, isViolation } from './imported-key.ts';

/** What became of the keys of an import, by their places: each is counted, or named, once. */
export interface Imported {
  /** Keys that were taken in, or would be. */
  readonly imported: number;
  /** Keys that are there already, and keys that come twice, but for the first of them. */
  readonly duplicates: readonly number[];
  readonly failures: readonly ImportFailure[];
}

/** The field of a key that is at fault first. */
export interface ImportFailure extends FieldViolation {
  readonly index: number;
}

/** Taking in keys that were made elsewhere. */
export interface ImportOperations {
  /**
   * Up to 1 000 keys. A key that cannot be taken in stops no other. A key that comes as a digest is not known to be
   * the same as one that is stored under a pepper.
   */
  importKeys(call: Call, input: unknown): Promise<Imported>;
}

export interface ImportOperationsDependencies {
  readonly registry: Pick<Registry, 'import'>;
  readonly terms: KeyTerms;
  readonly digester: Digester;
  readonly findHeldSecret: FindHeldSecret;
}

/** Keys that are read before others have the thread: a millisecond or two. */
const readsAtOnce = 50;

export function createImportOperations({
  registry,
  terms,
  digester,
  findHeldSecret,
}: ImportOperationsDependencies): ImportOperations {
  const readKey = createImportedKeys({ terms, digester, findHeldSecret });

  return {
    async importKeys(call, input) {
      const { keys: rows, dry_run } = readInput(importKeysInput, input);
      const failures: ImportFailure[] = [];
      const keys: ImportedKey[] = [];
      const indexes: number[] = [];
      for (const [index, row] of rows.entries()) {
        if (index > 0 && index % readsAtOnce === 0) await yieldToOthers();
        const read = readKey(call, row);
        if (isViolation(read)) failures.push({ index, ...read });
        else {
          keys.push(read);
          indexes.push(index);
        }
      }
      const duplicates = await registry.import(keys, call.origin, { isDryRun: dry_run });
      return {
        imported: keys.length - duplicates.length,
        duplicates: duplicates.flatMap((place) => indexes[place] ?? []),
        failures,
      };
    },
  };
}
