import { z } from 'zod';
import { parseTime } from '../time/time.ts';
import type { AdminApi } from './admin.ts';
import type { EventRecorder } from './cluster/events.ts';
import { type ClusterObject, ownerKind } from './cluster/objects.ts';
import { invalidSpec, Problem } from './problem.ts';
import type { Reconciler } from './reconciler.ts';

/** Times of owners are told to the second. */
const time = z.string().transform((text) => {
  const ms = parseTime(text);
  return ms === null ? text : `${new Date(ms).toISOString().slice(0, 19)}Z`;
});

const specShape = z.object({
  id: z.string().optional(),
  name: z.string().nullable().default(null),
  contact: z.string().nullable().default(null),
  plan: z.string().nullable().default(null),
  activeUntil: time.nullable().default(null),
  suspended: z.boolean().default(false),
  labels: z.record(z.string(), z.string()).default({}),
  billingAnchor: time.nullable().default(null),
  keysMax: z.number().nullable().default(null),
});

const answer = z.object({
  data: z.looseObject({
    name: z.string().nullish(),
    contact: z.string().nullish(),
    plan: z.string().nullish(),
    active_until: z.string().nullish(),
    suspended: z.boolean(),
    labels: z.record(z.string(), z.string()).nullish(),
    billing_anchor: z.string().nullish(),
    keys_max: z.number().nullish(),
    active: z.boolean(),
  }),
});

/** Makes Postern's owners what ApiKeyOwners say. No owner is ever removed: one whose ApiKeyOwner is deleted stays as it is. */
export function createOwners(admin: AdminApi, events: EventRecorder, claims: Claims): Reconciler {
  return {
    kind: ownerKind,
    async reconcile(object) {
      const read = specShape.safeParse(object.spec ?? {});
      if (!read.success) throw invalidSpec(read.error);
      const { id = object.metadata.name, activeUntil, billingAnchor, keysMax, ...rest } = read.data;
      claims.claim(object, id);
      const path = `/admin/owners/${encodeURIComponent(id)}`;
      const wanted = { ...rest, active_until: activeUntil, billing_anchor: billingAnchor, keys_max: keysMax };
      const found = await admin.call('GET', path);
      let owner = found === null ? null : answer.parse(found).data;
      if (owner === null || !isSame(owner, wanted)) {
        const note = `The owner ${id} was ${owner === null ? 'made' : 'changed'} in Postern.`;
        owner = answer.parse(await admin.call('PUT', path, wanted)).data;
        await events.tell(ownerKind, object, { type: 'Normal', reason: 'OwnerPut', action: 'Put', note });
      }
      const state = owner.active
        ? 'may be used'
        : 'are denied: the owner is suspended, or its subscription ended';
      return {
        reason: 'OwnerPut',
        message: `Keys of this owner ${state}.`,
        inMs: Infinity,
        about: [id],
        members: { id, active: owner.active },
      };
    },
    async end() {},
  };
}

/** Of several objects that name the same thing in Postern one has it: the one that has had it, else the oldest. */
export interface Claims {
  /** Throws a {@link Problem} where another object of this kind has it. */
  claim(object: ClusterObject, id: string): void;
  /** Whether another object of this kind names it. */
  isClaimed(id: string, by: ClusterObject): boolean;
}

/** `all` are the objects of a kind as they are now. */
export function createClaims(all: () => Iterable<ClusterObject>): Claims {
  const idOf = ({ spec, metadata }: ClusterObject) =>
    ((spec ?? {}) as { readonly id?: string }).id ?? metadata.name;
  // A status has the id once Postern was told.
  const rankOf = ({ metadata, status }: ClusterObject, id: string) => {
    const { id: had } = (status ?? {}) as { readonly id?: string };
    return `${had === id ? 0 : 1} ${metadata.creationTimestamp} ${metadata.uid}`;
  };
  const others = (id: string, { metadata: { uid } }: ClusterObject) =>
    [...all()].filter(
      (other) => idOf(other) === id && other.metadata.uid !== uid && !other.metadata.deletionTimestamp,
    );

  return {
    claim(object, id) {
      const rank = rankOf(object, id);
      const holder = others(id, object).find((other) => rankOf(other, id) < rank);
      if (holder === undefined) return;
      throw new Problem('Conflict', `${holder.metadata.name} names ${id}, too, and has it.`);
    },
    isClaimed: (id, by) => others(id, by).length > 0,
  };
}

function isSame(
  found: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
): boolean {
  const plain = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return value ?? null;
    const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
    return entries.length === 0 ? null : JSON.stringify(entries);
  };
  return Object.entries(wanted).every(([member, value]) => plain(value) === plain(found[member]));
}
