import type { ClusterObject, Kind } from './cluster/objects.ts';
import type { StatusMembers } from './status.ts';

/** What makes Postern what the objects of a kind ask for. Each method may throw, and is called again then. */
export interface Reconciler {
  readonly kind: Kind;
  reconcile(object: ClusterObject): Promise<Reconciled>;
  /** Ends what a deleted object stands for, and lets go of it. */
  end(object: ClusterObject): Promise<void>;
}

export interface Reconciled {
  /** Of the condition, in CamelCase. */
  readonly reason: string;
  readonly message: string;
  /** When it is to be looked at again, by itself; Infinity for never. */
  readonly inMs: number;
  /** Ids in Postern: when one is changed, this is to be looked at. */
  readonly about: readonly string[];
  readonly members: StatusMembers;
}
