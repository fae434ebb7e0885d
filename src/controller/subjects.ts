import type { ClusterObject } from './cluster/objects.ts';

/** What each thing in the queue is about in Postern. */
export function createSubjects() {
  const workById = new Map<string, string>();
  const idsOf = new Map<string, readonly string[]>();
  return {
    workOf: (id: string) => workById.get(id),
    set(work: string, ids: readonly string[]): void {
      for (const id of idsOf.get(work) ?? []) workById.delete(id);
      for (const id of ids) workById.set(id, work);
      if (ids.length === 0) idsOf.delete(work);
      else idsOf.set(work, ids);
    },
  };
}

/** A status alone is no reason to look at an object again. */
export function isOtherwise(
  { metadata: before }: ClusterObject,
  { metadata: after }: ClusterObject,
): boolean {
  const { uid, generation, deletionTimestamp } = after;
  return (
    uid !== before.uid || generation !== before.generation || deletionTimestamp !== before.deletionTimestamp
  );
}
