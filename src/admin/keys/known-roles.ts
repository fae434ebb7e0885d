import { invalidArgument } from '../../failure.ts';
import type { Store } from '../../store/store.ts';

/** Those of these ids that are roles. */
export async function knownRoles(
  store: Pick<Store, 'getRole'>,
  ids: Iterable<string>,
): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  for (const id of new Set(ids)) if ((await store.getRole(id)) !== null) known.add(id);
  return known;
}

/** Throws INVALID_ARGUMENT where one of these is no role. */
export async function requireRoles(store: Pick<Store, 'getRole'>, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const known = await knownRoles(store, ids);
  const unknown = ids.find((id) => !known.has(id));
  if (unknown !== undefined) throw invalidArgument([unknownRole(unknown)]);
}

export function unknownRole(id: string) {
  return { field: 'roles', description: `there is no role ${id}; PutRole makes one` };
}
