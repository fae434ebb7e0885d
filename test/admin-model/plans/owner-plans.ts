import { Learned } from '../learned.ts';
import { invalid, type Model, type ModelOwner, missing, Refusal, shownOwner } from '../model.ts';
import type { StepOf } from '../step.ts';
import { isPlan } from './key-plans.ts';
import { asking, type Plan, pageOf, placeAfter, present, tokenAt } from './plan.ts';

export function putOwnerPlan(model: Model, step: StepOf<'putOwner'>): Plan {
  const { id, plan, activeForMs, suspended } = step;
  const activeUntil = activeForMs === null ? null : model.now + activeForMs;
  const active_until = activeUntil === null ? null : new Date(activeUntil).toISOString();
  return {
    ask: asking('putOwner', { ...present({ plan, active_until }), suspended }, id),
    needs: 'write',
    predict({ owner: bound }) {
      if (bound !== null) throw new Refusal(['PERMISSION_DENIED']);
      if (!isPlan(plan)) throw invalid('plan');
      const current = model.owners.get(id);
      const owner: ModelOwner = {
        ...{ id, plan, activeUntil, suspended, createdAt: current?.createdAt ?? model.now },
        ...{ updatedAt: model.now, etags: [...(current?.etags ?? []), new Learned(current?.etags)] },
      };
      const before = current === undefined ? null : shownOwner(current, model.now);
      model.owners.set(id, owner);
      const after = shownOwner(owner, model.now);
      return {
        value: after,
        settles: 'always',
        changes: [{ target: id, target_name: null, owner: id, before, after }],
      };
    },
  };
}

export function updateOwnerPlan(model: Model, { id, patch, etag }: StepOf<'updateOwner'>): Plan {
  const { plan, activeForMs, suspended } = patch;
  const activeUntil = activeForMs == null ? activeForMs : model.now + activeForMs;
  const wanted = {
    ...(plan !== undefined && { plan }),
    ...(activeUntil !== undefined && { activeUntil }),
    ...(suspended !== undefined && { suspended }),
  };
  const place = { none: null, right: -1, stale: -2 }[etag];
  const given = place === null ? null : (model.owners.get(id)?.etags.at(place) ?? new Learned()).value;
  const input = {
    ...(plan !== undefined && { plan }),
    ...(activeUntil !== undefined && {
      active_until: activeUntil === null ? null : new Date(activeUntil).toISOString(),
    }),
    ...(suspended !== undefined && { suspended }),
    ...(given !== null && { etag: given }),
  };
  return {
    ask: asking('updateOwner', input, id),
    needs: 'write',
    predict({ owner: bound }) {
      if (bound !== null) throw new Refusal(['PERMISSION_DENIED']);
      if (plan !== undefined && !isPlan(plan)) throw invalid('plan');
      const current = model.owners.get(id);
      if (current === undefined) throw missing();
      if (given !== null && given !== current.etags.at(-1)?.value) throw new Refusal(['ABORTED']);
      const after = { ...current, ...wanted };
      const isOther = (['plan', 'activeUntil', 'suspended'] as const).some(
        (name) => after[name] !== current[name],
      );
      // Nothing new may be the retry of what took something away.
      if (!isOther) return { value: shownOwner(current, model.now), settles: 'maybe' };
      const etags = [...current.etags, new Learned(current.etags)];
      const owner: ModelOwner = { ...after, updatedAt: model.now, etags };
      model.owners.set(id, owner);
      const isLess =
        (after.suspended && !current.suspended) ||
        (after.activeUntil ?? Infinity) < (current.activeUntil ?? Infinity);
      const isSame = after.plan === current.plan;
      const [before, value] = [shownOwner(current, model.now), shownOwner(owner, model.now)];
      const settles = isLess ? 'always' : isSame ? 'never' : 'maybe';
      return {
        value,
        settles,
        changes: [{ target: id, target_name: null, owner: id, before, after: value }],
      };
    },
  };
}

export function getOwnerPlan(model: Model, { id }: StepOf<'getOwner'>): Plan {
  return {
    ask: asking('getOwner', {}, id),
    needs: 'read',
    predict(identity) {
      const owner = identity.owner === null || identity.owner === id ? model.owners.get(id) : undefined;
      if (owner === undefined) throw missing();
      return { value: shownOwner(owner, model.now) };
    },
  };
}

export function listOwnersPlan(model: Model, { page }: StepOf<'listOwners'>): Plan {
  const token = tokenAt(model, page);
  return {
    ask: asking('listOwners', present({ page_size: page.size, page_token: token })),
    needs: 'read',
    predict(identity) {
      const after = placeAfter(model, token, 'owners');
      const all = [...model.owners.values()].toSorted((one, other) => (one.id < other.id ? -1 : 1));
      const own = all.filter(({ id }) => identity.owner === null || identity.owner === id);
      const isPast = ({ id }: ModelOwner) => identity.owner !== null || after === null || id > String(after);
      return pageOf(model, own.filter(isPast), page, {
        ...{ query: 'owners', placeOf: ({ id }) => id },
        show: (owner) => shownOwner(owner, model.now),
      });
    },
  };
}
