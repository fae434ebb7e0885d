import { Learned } from '../learned.ts';
import { type Identity, type Model, type ModelEvent, type ModelKey, ownerFor, Refusal } from '../model.ts';
import type { StepOf } from '../step.ts';
import { markKey } from './change-plans.ts';
import { asking, type Plan, type Prediction, pageOf, placeAfter, present, tokenAt } from './plan.ts';

export function auditPlan(model: Model, { filter, page }: StepOf<'audit'>): Plan {
  const token = tokenAt(model, page);
  const eventAt = (place: number | undefined) => (place === undefined ? null : (model.events[place] ?? null));
  const keyId = (place: number | undefined) =>
    place === undefined ? null : (model.keys[place]?.id.value ?? null);
  const { owner, action, outcome, order } = filter;
  const [actor, target] = [keyId(filter.actor), keyId(filter.target)];
  const asked = filter.target === undefined ? undefined : model.keys[filter.target];
  const [since, until, after] = [
    eventAt(filter.since)?.at,
    eventAt(filter.until)?.at,
    eventAt(filter.after)?.id,
  ];
  const given = present({ owner, actor, action, target, outcome, since, until, order });
  return {
    ask: asking('listAuditEvents', {
      ...given,
      ...present({ after, page_size: page.size, page_token: token }),
    }),
    needs: 'read',
    predict(identity) {
      const own = ownerFor(identity, owner ?? null);
      const rest = present({ actor, action, target, outcome, since, until, order: order ?? 'newest' });
      const query = JSON.stringify(['audit', own, Object.entries(rest).toSorted()]);
      const begin =
        token !== null ? placeAfter(model, token, query) : after === undefined ? null : filter.after;
      const isOldest = order === 'oldest';
      const isSeen = asked !== undefined && (identity.owner === null || asked.owner === identity.owner);
      const made = (event: ModelEvent) => isSeen && hasMade(event, asked);
      const matching = model.events
        .map((event, place) => ({ event, place }))
        .filter(({ event }) => {
          const texts = [
            actor === null || textOf(event.actor) === actor,
            action === undefined || event.action === action,
          ];
          texts.push(target === null || textOf(event.target) === target || made(event));
          texts.push(own === null || event.owner === own);
          texts.push(outcome === undefined || event.outcome === outcome);
          return (
            texts.every(Boolean) &&
            (since == null || event.at >= since) &&
            (until == null || event.at < until)
          );
        })
        .filter(({ place }) => begin == null || (isOldest ? place > Number(begin) : place < Number(begin)));
      return pageOf(model, isOldest ? matching : matching.toReversed(), page, {
        ...{ query, placeOf: ({ place }) => place, show: ({ event }) => event },
      });
    },
  };
}

/** Whether it is of the rotation or the import that made the key. */
function hasMade({ target, action, outcome }: ModelEvent, { rotatedFrom, importId }: ModelKey): boolean {
  if (importId !== null && target === importId) return true;
  return rotatedFrom !== null && target === rotatedFrom.id && action === 'RotateKey' && outcome === 'ok';
}

function textOf(text: Learned | string | null): string | null {
  return text instanceof Learned ? text.value : text;
}

const typeOf: Readonly<Record<string, string>> = {
  CreateKey: 'key.created',
  UpdateKey: 'key.updated',
  RotateKey: 'key.rotated',
  DisableKey: 'key.disabled',
  EnableKey: 'key.enabled',
  RevokeKey: 'key.revoked',
  ReportLeakedKeys: 'key.leaked',
  ImportKeys: 'keys.imported',
  PutOwner: 'owner.put',
  UpdateOwner: 'owner.put',
  PutRole: 'role.put',
  DeleteRole: 'role.deleted',
};

/** A watch from some place in the journal on, up to the mark that was just put at its end. */
export function watchPlan(model: Model, { after, types }: StepOf<'watch'>, markOwner: string | null): Plan {
  const mark = markKey(model, markOwner);
  const begin = after % model.events.length;
  const resume_token = `evt_${String(begin).padStart(16, '0')}`;
  const wanted = types.length === 0 ? [] : [...types, 'key.updated'];
  return {
    ask: {
      ...asking('watchKeys', { resume_token, ...(wanted.length > 0 && { types: wanted }) }),
      until: { target: mark.id.value ?? '', name: mark.name },
    },
    needs: 'read',
    predict(identity) {
      const events = model.events.slice(begin).flatMap((event) => {
        const type = event.outcome === 'ok' ? typeOf[event.action] : undefined;
        const isSeen = identity.owner === null || event.owner === identity.owner;
        if (type === undefined || !isSeen || (wanted.length > 0 && !wanted.includes(type))) return [];
        const { id, at, target, owner, actor, before, after: later } = event;
        return [{ id, type, at, target, owner, actor, details: { before, after: later } }];
      });
      return { value: { events } };
    },
  };
}

export function diagnosticsPlan(model: Model): Plan {
  return {
    ask: asking('getDiagnostics', {}),
    needs: 'read',
    predict({ owner }: Identity): Prediction {
      if (owner !== null) throw new Refusal(['PERMISSION_DENIED']);
      return { value: { peppers: [{ id: '', keys: model.keys.length, configured: true, signing: true }] } };
    },
  };
}
