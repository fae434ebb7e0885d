import { z } from 'zod';
import type { AdminApi } from './admin.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { EventRecorder } from './cluster/events.ts';
import { type ClusterObject, roleKind } from './cluster/objects.ts';
import { addFinalizer, removeFinalizer } from './finalizer.ts';
import type { Claims } from './owners.ts';
import { invalidSpec } from './problem.ts';
import type { Reconciler } from './reconciler.ts';

const specShape = z.object({
  id: z.string().optional(),
  description: z.string().nullable().default(null),
  permissions: z.array(z.string()).default([]),
});

const answer = z.object({
  data: z.looseObject({ description: z.string().nullish(), permissions: z.array(z.string()) }),
});

const pathOf = (id: string) => `/admin/roles/${encodeURIComponent(id)}`;

export interface RolesOptions {
  readonly events: EventRecorder;
  readonly claims: Claims;
}

/** Makes Postern's roles what ApiKeyRoles say, and removes those whose ApiKeyRole is deleted. */
export function createRoles(cluster: Cluster, admin: AdminApi, options: RolesOptions): Reconciler {
  const { events, claims } = options;
  return {
    kind: roleKind,
    async reconcile(object) {
      const { id, description, permissions } = specOf(object);
      claims.claim(object, id);
      await addFinalizer(cluster, roleKind, object);
      const found = await admin.call('GET', pathOf(id));
      const role = found === null ? null : answer.parse(found).data;
      const isSame =
        role !== null &&
        (role.description ?? null) === description &&
        listed(role.permissions) === listed(permissions);
      if (!isSame) {
        await admin.call('PUT', pathOf(id), { description, permissions });
        const note = `The role ${id} was ${role === null ? 'made' : 'changed'} in Postern.`;
        await events.tell(roleKind, object, { type: 'Normal', reason: 'RolePut', action: 'Put', note });
      }
      return {
        reason: 'RolePut',
        message: `Keys that name ${id} have its permissions.`,
        inMs: Infinity,
        about: [id],
        members: { id },
      };
    },
    async end(object) {
      const { id } = specOf(object);
      // The one that names it, too, has it from now on.
      if (!claims.isClaimed(id, object)) {
        await admin.call('DELETE', pathOf(id));
        const note = `The role ${id} was deleted in Postern.`;
        await events.tell(roleKind, object, {
          type: 'Normal',
          reason: 'RoleDeleted',
          action: 'Delete',
          note,
        });
      }
      await removeFinalizer(cluster, roleKind, object);
    },
  };
}

function specOf(object: ClusterObject) {
  const read = specShape.safeParse(object.spec ?? {});
  if (!read.success) throw invalidSpec(read.error);
  return { ...read.data, id: read.data.id ?? object.metadata.name };
}

function listed(permissions: readonly string[]): string {
  return JSON.stringify([...new Set(permissions)].toSorted());
}
