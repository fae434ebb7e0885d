import type { KeyState } from '../../keys/key.ts';

export type KeyCounts = Readonly<Record<KeyState, number>>;

/** A replica by the id that its settings give it, and how old what it knows is, as far as it has said. */
export interface ReplicaLag {
  readonly id: string;
  readonly lagMs: number;
}

/** Replicas in one answer of the store. */
export const replicasMax = 5_000;
