import type { Cluster } from './cluster/cluster.ts';
import { type ClusterObject, type Condition, type Kind, nameOf, objectPath } from './cluster/objects.ts';

/** What a status says beside its conditions; null for what it says no more. */
export type StatusMembers = Readonly<Record<string, unknown>>;

export interface Verdict {
  readonly isReady: boolean;
  /** As `Problem.reason`. */
  readonly reason: string;
  readonly message: string;
}

interface Status extends StatusMembers {
  readonly conditions?: readonly Condition[];
}

const messageLengthMax = 1_024;

/** Writes the status of an object where it is not so yet. */
export async function writeStatus(
  cluster: Cluster,
  kind: Kind,
  object: ClusterObject,
  { members = {}, ...verdict }: Verdict & { readonly members?: StatusMembers },
): Promise<void> {
  const { metadata } = object;
  const before = (object.status ?? {}) as Status;
  const generation = metadata.generation ?? 0;
  const others = (before.conditions ?? []).filter(({ type }) => type !== 'Ready');
  const ready = conditionOf(verdict, generation, before.conditions ?? []);
  const wanted: Status = { ...members, observedGeneration: generation, conditions: [...others, ready] };
  if (isSame(before, wanted)) return;
  // The uid holds it to this object, and to no later one of the same name.
  const patch = { metadata: { uid: metadata.uid }, status: wanted };
  await cluster.call('PATCH', `${objectPath(kind, nameOf(object))}/status`, patch);
}

function conditionOf(verdict: Verdict, generation: number, before: readonly Condition[]): Condition {
  const { isReady, reason } = verdict;
  const status = isReady ? 'True' : 'False';
  const last = before.find(({ type }) => type === 'Ready');
  const since =
    last?.status === status ? last.lastTransitionTime : `${new Date().toISOString().slice(0, 19)}Z`;
  return {
    type: 'Ready',
    status,
    reason,
    message: verdict.message.slice(0, messageLengthMax),
    observedGeneration: generation,
    lastTransitionTime: since,
  };
}

/** Whether a merge of `wanted` changes nothing. */
function isSame(before: Status, wanted: Status): boolean {
  return Object.entries(wanted).every(
    ([name, value]) => JSON.stringify(sorted(before[name] ?? null)) === JSON.stringify(sorted(value)),
  );
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([name, member]) => [name, sorted(member)]));
}
