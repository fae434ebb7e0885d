import { z } from 'zod';
import { table } from '../terminal/output.ts';

/** What the commands read of an owner; the rest goes through as it is. */
export const ownerAnswer = z.looseObject({
  id: z.string(),
  plan: z.string().nullable(),
  active_until: z.string().nullable(),
  suspended: z.boolean(),
  active: z.boolean(),
  created_at: z.string(),
  updated_at: z.string(),
  // A service of an older version does not say.
  name: z.string().nullish(),
  contact: z.string().nullish(),
  labels: z.record(z.string(), z.string()).optional(),
  billing_anchor: z.string().nullish(),
  keys_max: z.number().nullish(),
});

export type OwnerAnswer = z.output<typeof ownerAnswer>;

const listHeader = ['ID', 'STATE', 'PLAN', 'ACTIVE UNTIL', 'CREATED', 'UPDATED'];

/** A page of owners, a line each; the header stands on the first page alone. */
export function ownerList(owners: readonly OwnerAnswer[], isFirstPage: boolean): string {
  const rows = owners.map((owner) => [
    owner.id,
    ownerState(owner),
    owner.plan ?? '-',
    owner.active_until ?? 'always',
    owner.created_at,
    owner.updated_at,
  ]);
  return table(isFirstPage ? [listHeader, ...rows] : rows);
}

/** One owner, a line for each thing that is known of it. */
export function ownerDetails(owner: OwnerAnswer): string {
  const labels = Object.entries(owner.labels ?? {}).map(([name, value]) => `${name}=${value}`);
  return table([
    ['id', owner.id],
    ['name', owner.name ?? '-'],
    ['contact', owner.contact ?? '-'],
    ['state', ownerState(owner)],
    ['plan', owner.plan ?? '-'],
    ['active until', owner.active_until ?? 'always'],
    ['billing anchor', owner.billing_anchor ?? '-'],
    ['most keys', String(owner.keys_max ?? '-')],
    ['labels', labels.join(', ') || '-'],
    ['created', owner.created_at],
    ['updated', owner.updated_at],
  ]);
}

/** An owner and its state, in a few words. */
export function ownerStateText(owner: OwnerAnswer): string {
  const until = owner.active && owner.active_until !== null ? ` until ${owner.active_until}` : '';
  return `${owner.id} is ${ownerState(owner)}${until}`;
}

/** In one word: whether its keys may be used, and if not, why. */
function ownerState({ active, suspended }: OwnerAnswer): string {
  if (active) return 'active';
  return suspended ? 'suspended' : 'lapsed';
}
