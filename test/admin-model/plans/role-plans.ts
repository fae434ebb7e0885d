import { Learned } from '../learned.ts';
import { clock, type Identity, type Model, missing, Refusal } from '../model.ts';
import type { Etag, StepOf } from '../step.ts';
import { asking, type Plan, pageOf, placeAfter, present, tokenAt } from './plan.ts';

export interface ModelRole {
  readonly id: string;
  readonly description: string | null;
  readonly permissions: readonly string[];
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Of those before it, too, that were deleted. */
  readonly etags: readonly Learned[];
  readonly isDeleted: boolean;
}

export function putRolePlan(model: Model, step: StepOf<'putRole'>): Plan {
  const { id, description, permissions } = step;
  const etag = etagFor(model, id, step.etag);
  return {
    ask: asking('putRole', { ...present({ description, etag }), permissions }, id),
    needs: 'write',
    predict(identity) {
      requireUnbound(identity);
      if (permissions.some((one) => one.startsWith('admin:'))) throw new Refusal(['INVALID_ARGUMENT']);
      const last = model.roles.get(id);
      const current = roleAt(model, id);
      requireEtag(current, etag);
      const before = current === null ? null : shownRole(current);
      const isSame =
        current?.description === description && current.permissions.join() === permissions.join();
      if (current !== null && isSame) return { value: before, settles: 'always' };
      const role: ModelRole = {
        ...{ id, description, permissions, createdAt: current?.createdAt ?? model.now },
        ...{ updatedAt: model.now, isDeleted: false },
        etags: [...(last?.etags ?? []), new Learned(last?.etags)],
      };
      model.roles.set(id, role);
      const after = shownRole(role);
      return {
        value: after,
        settles: 'always',
        changes: [{ target: id, target_name: null, owner: null, before, after }],
      };
    },
  };
}

export function deleteRolePlan(model: Model, step: StepOf<'deleteRole'>): Plan {
  const { id } = step;
  const etag = etagFor(model, id, step.etag);
  return {
    ask: asking('deleteRole', present({ etag }), id),
    needs: 'write',
    predict(identity) {
      requireUnbound(identity);
      const current = roleAt(model, id);
      if (current === null) throw missing();
      requireEtag(current, etag);
      model.roles.set(id, { ...current, isDeleted: true });
      const before = shownRole(current);
      return {
        value: before,
        settles: 'always',
        changes: [{ target: id, target_name: null, owner: null, before, after: null }],
      };
    },
  };
}

export function getRolePlan(model: Model, { id }: StepOf<'getRole'>): Plan {
  return {
    ask: asking('getRole', {}, id),
    needs: 'read',
    predict(identity) {
      requireUnbound(identity);
      const role = roleAt(model, id);
      if (role === null) throw missing();
      return { value: shownRole(role) };
    },
  };
}

export function listRolesPlan(model: Model, { page }: StepOf<'listRoles'>): Plan {
  const token = tokenAt(model, page);
  return {
    ask: asking('listRoles', present({ page_size: page.size, page_token: token })),
    needs: 'read',
    predict(identity) {
      requireUnbound(identity);
      const after = placeAfter(model, token, 'roles');
      const rest = [...model.roles.values()]
        .filter(({ id, isDeleted }) => !isDeleted && (after === null || id > String(after)))
        .toSorted((one, other) => (one.id < other.id ? -1 : 1));
      return pageOf(model, rest, page, { query: 'roles', placeOf: ({ id }) => id, show: shownRole });
    },
  };
}

/** Of all keys of the service, whoever has them: nothing for who is bound to one owner. */
function requireUnbound({ owner }: Identity): void {
  if (owner !== null) throw new Refusal(['PERMISSION_DENIED']);
}

function roleAt(model: Model, id: string): ModelRole | null {
  const role = model.roles.get(id);
  return role === undefined || role.isDeleted ? null : role;
}

function etagFor(model: Model, id: string, etag: Etag): string | null {
  const place = { none: null, right: -1, stale: -2 }[etag];
  return place === null ? null : (model.roles.get(id)?.etags.at(place)?.value ?? null);
}

function requireEtag(role: ModelRole | null, etag: string | null): void {
  if (etag !== null && etag !== role?.etags.at(-1)?.value) throw new Refusal(['ABORTED']);
}

/** A role as the contract shows it. */
function shownRole(role: ModelRole): Record<string, unknown> {
  return {
    ...{ id: role.id, description: role.description, permissions: [...role.permissions] },
    ...{ created_at: clock(role.createdAt), updated_at: clock(role.updatedAt), etag: role.etags.at(-1) },
  };
}
