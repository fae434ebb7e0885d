import { expiresAt, expiryInput, isBadExpiry, isPast } from '../expiry.ts';
import { Learned } from '../learned.ts';
import {
  admits,
  clock,
  clockOrNull,
  type Identity,
  invalid,
  isActiveOwner,
  isVisible,
  type Model,
  type ModelKey,
  ownerFor,
  Refusal,
  shownKey,
  stateOf,
} from '../model.ts';
import type { KeyFilter, StepOf } from '../step.ts';
import { asking, keyAt, type Plan, pageOf, placeAfter, present, presentedBy, seen, tokenAt } from './plan.ts';

/** How the keys of a scheme begin, by environment. */
export const beginnings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  postern: { live: 'pst_live_', test: 'pst_test_' },
  powerverse: { live: 'ak_live_', test: 'ak_test_' },
  converra: { live: 'sk_live_', test: 'sk_test_' },
};
/** Those of the one scheme that has some, and so all that a key of another or an owner may name. */
const plans: readonly string[] = ['free', 'pro', 'enterprise'];

export function createPlan(model: Model, { wish, request }: StepOf<'create'>): Plan {
  model.names += 1;
  const name = `${wish.word} ${model.names}`;
  const scheme = wish.scheme ?? 'postern';
  const environment = wish.environment ?? 'live';
  const input = present({
    ...{ name, scheme: wish.scheme, environment: wish.environment, owner: wish.owner },
    ...{ permissions: wish.permissions, ip_allowlist: wish.ipAllowlist, ...expiryInput(model, wish.expiry) },
    ...{ plan: wish.plan, labels: wish.labels, request_id: request },
    rate_limit: wish.rateLimit && { limit: wish.rateLimit.limit, window: `${wish.rateLimit.windowMs}ms` },
  });
  return {
    ask: asking('createKey', input),
    needs: 'write',
    predict(identity) {
      // How much a key may spend is not for its owner to say.
      const isTooMuch = identity.owner !== null && (wish.plan !== null || wish.rateLimit !== null);
      refuseBad(
        [
          [!(scheme in beginnings), 'scheme'],
          [beginnings[scheme]?.[environment] === undefined && scheme in beginnings, 'environment'],
          [!isPlan(wish.plan), 'plan'],
          [isBadExpiry(wish.expiry), isPast(wish.expiry) ? 'expires_at' : 'expires_in'],
        ],
        (identity.owner !== null && wish.owner !== null && wish.owner !== identity.owner) || isTooMuch,
      );
      if (isTooMuch) throw new Refusal(['PERMISSION_DENIED']);
      const owner = ownerFor(identity, wish.owner);
      const made = request === null ? undefined : model.requests.get(requestOf(identity, 'create', request));
      if (made !== undefined) return { value: { ...shownKey(model, made), key: null } };
      if (!isActiveOwner(model, owner)) throw new Refusal(['FAILED_PRECONDITION']);
      const key = newKey(
        model,
        {
          ...{
            name,
            scheme,
            environment,
            owner,
            permissions: wish.permissions,
            ipAllowlist: wish.ipAllowlist,
          },
          ...{ plan: wish.plan, rateLimit: wish.rateLimit, labels: wish.labels },
          expiresAt: expiresAt(model, wish.expiry) ?? null,
        },
        { createdBy: identity.actor },
      );
      model.keys.push(key);
      if (request !== null) model.requests.set(requestOf(identity, 'create', request), key);
      return {
        value: { ...shownKey(model, key), key: key.secret },
        changes: [{ target: key.id, target_name: name, owner, before: null, after: shownKey(model, key) }],
        learn: () => wrongMask(key),
      };
    },
  };
}

/** Throws what one is told whose call makes no sense in one of these ways; `isElsewhere` goes before it or after. */
function refuseBad(ways: readonly (readonly [isBad: boolean, field: string])[], isElsewhere: boolean): void {
  const bad = ways.filter(([isBad]) => isBad);
  const [first] = bad;
  if (first === undefined) return;
  if (isElsewhere) throw new Refusal(['INVALID_ARGUMENT', 'PERMISSION_DENIED']);
  throw bad.length > 1 ? new Refusal(['INVALID_ARGUMENT']) : invalid(first[1]);
}

export function requestOf({ owner }: Identity, about: string, request: string): string {
  return JSON.stringify([owner, about, request]);
}

export function isPlan(plan: string | null): boolean {
  return plan === null || plans.includes(plan);
}

type Grants = Pick<
  ModelKey,
  | 'name'
  | 'scheme'
  | 'environment'
  | 'owner'
  | 'permissions'
  | 'ipAllowlist'
  | 'plan'
  | 'rateLimit'
  | 'labels'
  | 'expiresAt'
>;

/** A key that is made now, and that differs from all others in what the service makes up. */
export function newKey(model: Model, grants: Grants, given: Partial<ModelKey> = {}): ModelKey {
  return {
    ...grants,
    id: new Learned(model.keys.map(({ id }) => id)),
    secret: new Learned(model.keys.map(({ secret }) => secret)),
    ...{ prefix: new Learned(), last4: new Learned(), lastUsedAt: null, isDisabled: false, revokedAt: null },
    ...{ createdAt: model.now, updatedAt: model.now, rotatedFrom: null, rotatedTo: null },
    ...{ createdBy: null, importId: null },
    ...{ etags: [new Learned()], uses: [], isMark: false },
    ...given,
  };
}

/** What of a new secret does not go with what is shown of its key. */
export function wrongMask({ secret, prefix, last4, scheme, environment }: ModelKey): string[] {
  const beginning = beginnings[scheme]?.[environment] ?? '';
  const text = secret.value ?? '';
  const expected = [text.slice(0, beginning.length + 4), text.slice(-4)];
  const shown = [prefix.value, typeof last4 === 'string' ? last4 : last4.value];
  const isRight = text.startsWith(beginning) && text.length > beginning.length + 20;
  return isRight && expected.join() === shown.join() ? [] : [`the mask of ${text} is ${shown.join(' … ')}`];
}

export function getPlan(model: Model, { key: number }: StepOf<'get'>): Plan {
  const { id, key } = keyAt(model, number);
  return {
    ask: asking('getKey', {}, id),
    needs: 'read',
    predict: (identity) => ({ value: shownKey(model, seen(identity, key)) }),
  };
}

export function listPlan(model: Model, { filter, page }: StepOf<'list'>): Plan {
  const token = tokenAt(model, page);
  return {
    ask: asking('listKeys', { ...filter, ...present({ page_size: page.size, page_token: token }) }),
    needs: 'read',
    predict(identity) {
      const owner = ownerFor(identity, filter.owner ?? null);
      const { owner: _, ...others } = filter;
      const query = JSON.stringify(['keys', owner, Object.entries(others).toSorted()]);
      const after = placeAfter(model, token, query);
      const older = model.keys
        .map((key, place) => ({ key, place }))
        .filter(({ place }) => after === null || place < Number(after))
        .toReversed();
      const rest = older.filter(
        ({ key }) => (owner === null || key.owner === owner) && isKept(model, key, others),
      );
      return pageOf(model, rest, page, {
        query,
        show: ({ key }) => shownKey(model, key),
        placeOf: ({ place }) => place,
      });
    },
  };
}

function isKept(model: Model, key: ModelKey, filter: Omit<KeyFilter, 'owner'>): boolean {
  const { scheme, environment, state, permission, name_contains: part } = filter;
  return (
    (scheme === undefined || key.scheme === scheme) &&
    (environment === undefined || key.environment === environment) &&
    (state === undefined || stateOf(key, model.now) === state) &&
    (permission === undefined || key.permissions.includes(permission)) &&
    (part === undefined || key.name.toLowerCase().includes(part.toLowerCase()))
  );
}

const hourMs = 3_600_000;

export function usagePlan(model: Model, { key: number, sinceHours }: StepOf<'usage'>): Plan {
  const { id, key } = keyAt(model, number);
  const since = sinceHours === null ? null : model.now - sinceHours * hourMs;
  return {
    ask: asking('getKeyUsage', since === null ? {} : { since: new Date(since).toISOString() }, id),
    needs: 'read',
    predict(identity) {
      const { uses, lastUsedAt } = seen(identity, key);
      const first = since === null ? 0 : since - (since % hourMs);
      const hours = [...new Set(uses.map(({ hour }) => hour))].filter((hour) => hour >= first).toSorted();
      const buckets = hours.map((hour) => {
        const within = uses.filter((use) => use.hour === hour);
        const denied = within.reduce((sum, use) => sum + use.denied, 0);
        const allowed = within.reduce((sum, use) => sum + use.allowed, 0);
        const reasons = denied === 0 ? {} : { permission_denied: denied };
        return { start: clock(hour), allowed, denied: reasons, observed: {} };
      });
      const addresses = hours.length === 0 ? [] : ['192.0.2.9'];
      return { value: { buckets, last_used_at: clockOrNull(lastUsedAt), addresses } };
    },
  };
}

export function verifyPlan(model: Model, { secret, terms }: StepOf<'verify'>): Plan {
  const { text, key } = presentedBy(model, secret);
  const { environment, address, permissions } = terms;
  const input = { key: text, permissions, ...present({ environment, address }) };
  return {
    ask: asking('verifyKey', input),
    needs: 'read',
    predict(identity) {
      if (key === null || !isVisible(identity, key)) {
        const reason = secret === 'rubbish' || !text.includes('_') ? 'malformed' : 'unknown';
        return { value: { allowed: false, reason, status: 401, key_id: null } };
      }
      const [reason, status] = verdict(model, key, terms);
      return { value: { allowed: reason === null, reason, status, key_id: key.id } };
    },
  };
}

/** The first that fails decides. */
function verdict(
  model: Model,
  key: ModelKey,
  { environment, address, permissions }: StepOf<'verify'>['terms'],
): readonly [reason: string | null, status: number] {
  const state = stateOf(key, model.now);
  if (state !== 'active') return [state, 401];
  if (key.environment !== (environment ?? 'live')) return ['wrong_environment', 401];
  if (!isActiveOwner(model, key.owner)) return ['owner_inactive', 402];
  if (address !== null && !admits(key.ipAllowlist, address)) return ['address_denied', 403];
  if (permissions.some((permission) => !key.permissions.includes(permission)))
    return ['permission_denied', 403];
  return [null, 200];
}
