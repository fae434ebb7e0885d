import type { ImportedKey } from '../../changes/key-import.ts';
import type { Registry } from '../../changes/registry.ts';
import type { FieldViolation } from '../../failure.ts';
import { rolesMax } from '../../keys/role.ts';
import type { Digester } from '../../keys/secret.ts';
import type { Store } from '../../store/store.ts';
import { yieldToOthers } from '../../time/yield-to-others.ts';
import { roleLengthMax } from '../admin-fields.ts';
import type { Call } from '../call.ts';
import type { FindHeldSecret } from '../held-secret.ts';
import type { KeyTerms } from '../keys/key-terms.ts';
import { knownRoles } from '../keys/known-roles.ts';
import type { RuleGuard } from '../keys/rule-guard.ts';
import { readInput } from '../read-input.ts';
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
  readonly store: Pick<Store, 'getRole'>;
  readonly terms: KeyTerms;
  readonly rules: RuleGuard;
  readonly digester: Digester;
  readonly findHeldSecret: FindHeldSecret;
}

/** Keys that are read before others have the thread: a millisecond or two. */
const readsAtOnce = 50;

export function createImportOperations({
  registry,
  store,
  terms,
  rules,
  digester,
  findHeldSecret,
}: ImportOperationsDependencies): ImportOperations {
  const readKey = createImportedKeys({ terms, rules, digester, findHeldSecret });

  return {
    async importKeys(call, input) {
      const { keys: rows, dry_run } = readInput(importKeysInput, input);
      const roles = await knownRoles(store, namedRoles(rows));
      const failures: ImportFailure[] = [];
      const keys: ImportedKey[] = [];
      const indexes: number[] = [];
      for (const [index, row] of rows.entries()) {
        if (index > 0 && index % readsAtOnce === 0) await yieldToOthers();
        const read = readKey(call, row, roles);
        if (isViolation(read)) failures.push({ index, ...read });
        else {
          keys.push(read);
          indexes.push(index);
        }
      }
      const crowded = await crowdedAmong(keys, call);
      const crowdedPlaces = new Set(crowded.map(({ place }) => place));
      const places = keys.flatMap((_, place) => (crowdedPlaces.has(place) ? [] : [place]));
      const wanted = places.map((place) => keys[place] as ImportedKey);
      const found = await registry.import(wanted, call.origin, { isDryRun: dry_run });
      const [duplicates, taken] = [found.duplicates, found.taken].map((of) =>
        of.flatMap((place) => places[place] ?? []),
      ) as [number[], number[]];
      const indexOf = (place: number): number[] => indexes.slice(place, place + 1);
      failures.push(
        ...crowded.flatMap(({ place, violation }) =>
          indexOf(place).map((index) => ({ index, ...violation })),
        ),
      );
      failures.push(...taken.flatMap(indexOf).map((index) => ({ index, ...externalIdViolation })));
      return {
        imported: wanted.length - duplicates.length - taken.length,
        duplicates: duplicates.flatMap(indexOf),
        failures: failures.toSorted((one, other) => one.index - other.index),
      };
    },
  };

  /** Keys whose owners have as many as they may, those among them that are there already left out. */
  async function crowdedAmong(keys: readonly ImportedKey[], call: Call) {
    const crowded: { readonly place: number; readonly violation: FieldViolation }[] = [];
    const tally = rules.tally();
    if (!(await tally.isBounded(keys))) return crowded;
    const { duplicates, taken } = await registry.import(keys, call.origin, { isDryRun: true });
    const others = new Set([...duplicates, ...taken]);
    for (const [place, key] of keys.entries()) {
      const violation = others.has(place) ? null : await tally.add(key);
      if (violation !== null) crowded.push({ place, violation });
    }
    return crowded;
  }
}

const externalIdViolation: FieldViolation = {
  field: 'external_id',
  description: 'another key of the same owner that is not revoked has it',
};

/** More names than a call could mean are none that there are. */
const namedRolesMax = 1_000;

function namedRoles(rows: readonly unknown[]): string[] {
  const named = rows.flatMap((row) => {
    const roles: unknown = typeof row === 'object' && row !== null && 'roles' in row ? row.roles : [];
    return Array.isArray(roles) ? roles.slice(0, rolesMax) : [];
  });
  const texts = new Set(named.filter((role) => typeof role === 'string' && role.length <= roleLengthMax));
  return [...texts].slice(0, namedRolesMax);
}
