/** Whose keys they are: a customer, a team, a service. Times are Unix milliseconds. */
export interface OwnerRecord {
  readonly id: string;
  readonly plan: string | null;
  /** When the subscription ends; null for never. */
  readonly activeUntil: number | null;
  readonly suspended: boolean;
  /** What people call it; null for nothing. */
  readonly name: string | null;
  /** Whom to write to, free-form; null for nobody. */
  readonly contact: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** From when the periods of its limits run; null for those of the calendar in UTC. */
  readonly billingAnchor: number | null;
  /** The most keys that it may have; null for no bound of its own. */
  readonly keysMax: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Grows by one with every change; the etag is made of it. */
  readonly version: number;
}

/** Whether the owner's keys may be used now. An owner that nobody has put is active. */
export function isActive(owner: OwnerRecord | null, now: number): boolean {
  if (owner === null) return true;
  return !owner.suspended && (owner.activeUntil === null || now < owner.activeUntil);
}
