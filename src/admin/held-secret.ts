import { type FieldViolation, invalidArgument } from '../failure.ts';
import type { Scheme } from '../schemes/scheme.ts';
import { createSecretFinder, type HoldsSecret } from '../schemes/written-secret.ts';

/** What is at fault in an input first; null where nothing is. */
export type FindHeldSecret = (input: unknown, except?: readonly string[]) => FieldViolation | null;

const description = 'holds what has the form of a key: a secret is never a name, a label or an id';
/** Members within members; inputs have fewer. */
const depthMax = 8;

/**
 * Finds a whole key in what would be written down as a name, a label, an id or the like, wherever it stands in an
 * input, but for the members at its top that are meant for one. The field is named, and never what it holds.
 */
export function createHeldSecrets(schemes: () => readonly Scheme[]): FindHeldSecret {
  const finders = new WeakMap<readonly Scheme[], HoldsSecret>();

  return (input, except = []) => {
    const known = schemes();
    const holds = finders.get(known) ?? createSecretFinder(known);
    finders.set(known, holds);
    return within(holds, input, '', except, depthMax);
  };
}

/** Members of an input that are meant for a secret, or are read by themselves, by operation. */
const meantFor: Readonly<Record<string, readonly string[]>> = {
  verifyKey: ['key', 'path'],
  findKey: ['key'],
  listKeys: ['search', 'name_contains'],
  reportLeakedKeys: ['keys'],
  importKeys: ['keys'],
};

/** Throws INVALID_ARGUMENT where what an operation is given holds a key that it is not meant to. */
export function refuseHeldSecrets(find: FindHeldSecret, operation: string, given: readonly unknown[]): void {
  for (const value of given) {
    const found = find(value, meantFor[operation]);
    if (found !== null) throw invalidArgument([{ ...found, field: found.field || 'id' }]);
  }
}

function within(
  holds: HoldsSecret,
  value: unknown,
  field: string,
  except: readonly string[],
  depth: number,
): FieldViolation | null {
  if (typeof value === 'string') return holds(value) ? { field, description } : null;
  if (depth === 0 || typeof value !== 'object' || value === null) return null;
  // What is no plain data, a signal or a stream, says nothing that is written down.
  const isData = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));
  if (!isData) return null;
  for (const [name, member] of Object.entries(value)) {
    if (except.includes(name)) continue;
    if (holds(name)) return { field: field || '(body)', description };
    const path = field === '' ? name : `${field}.${name}`;
    const found = within(holds, member, path, [], depth - 1);
    if (found !== null) return found;
  }
  return null;
}
