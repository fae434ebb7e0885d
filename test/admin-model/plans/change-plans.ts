import { expiresAt, expiryInput, isBadExpiry, isPast } from '../expiry.ts';
import { Learned } from '../learned.ts';
import { type Identity, invalid, type Model, type ModelKey, Refusal, shownKey, stateOf } from '../model.ts';
import { narrowing } from '../narrowing.ts';
import type { StepOf } from '../step.ts';
import { isPlan, newKey, requestOf, wrongMask } from './key-plans.ts';
import { asking, keyAt, type Plan, type Prediction, present, seen } from './plan.ts';

const precondition = () => new Refusal(['FAILED_PRECONDITION']);

/** Changes a key, unless it is so already, or would be the last that may change everything and is no more. */
function changed(
  model: Model,
  key: ModelKey,
  wanted: Partial<ModelKey>,
  isGuarded: boolean,
): Pick<Prediction, 'value' | 'changes'> {
  if (Object.keys(wanted).length === 0) return { value: shownKey(model, key) };
  if (isGuarded && !model.hasOtherWriter && mayWriteAll(key, model.now)) {
    const others = model.keys.filter((other) => other !== key && mayWriteAll(other, model.now));
    if (others.length === 0 && !mayWriteAll({ ...key, ...wanted }, model.now)) throw precondition();
  }
  const before = shownKey(model, key);
  Object.assign(key, wanted, { updatedAt: model.now });
  key.etags.push(new Learned([...key.etags]));
  const after = shownKey(model, key);
  return {
    value: shownKey(model, key),
    changes: [{ target: key.id, target_name: key.name, owner: key.owner, before, after }],
  };
}

function mayWriteAll(key: ModelKey, now: number): boolean {
  const isAdmin = key.scheme === 'postern' && key.owner === null && key.permissions.includes('admin:write');
  return isAdmin && stateOf(key, now) === 'active';
}

export function updatePlan(model: Model, { key: number, patch, etag }: StepOf<'update'>): Plan {
  const { id, key } = keyAt(model, number);
  const { word, permissions, ipAllowlist, expiresIn, plan, rateLimit, labels } = patch;
  if (word !== undefined) model.names += 1;
  const wanted = {
    ...(word !== undefined && { name: `${word} ${model.names}` }),
    ...(permissions !== undefined && { permissions: permissions ?? [] }),
    ...(ipAllowlist !== undefined && { ipAllowlist: ipAllowlist ?? [] }),
    ...(expiresIn !== undefined && { expiresAt: expiresIn === null ? null : model.now + expiresIn }),
    ...(plan !== undefined && { plan }),
    ...(rateLimit !== undefined && { rateLimit }),
    ...(labels !== undefined && { labels: labels ?? {} }),
  };
  const places = { none: null, right: -1, stale: -2 } as const;
  const place = places[etag];
  const given = place === null ? null : (key?.etags.at(place) ?? new Learned()).value;
  const window = rateLimit && { limit: rateLimit.limit, window: `${rateLimit.windowMs}ms` };
  const input = {
    ...('name' in wanted && { name: wanted.name }),
    ...(permissions !== undefined && { permissions }),
    ...(ipAllowlist !== undefined && { ip_allowlist: ipAllowlist }),
    ...(expiresIn !== undefined && {
      expires_at: expiresIn === null ? null : new Date(model.now + expiresIn).toISOString(),
    }),
    ...(plan !== undefined && { plan }),
    ...(rateLimit !== undefined && { rate_limit: window }),
    ...(labels !== undefined && { labels }),
    ...(given !== null && { etag: given }),
  };
  return {
    ask: asking('updateKey', input, id),
    needs: 'write',
    predict(identity) {
      if (expiresIn != null && expiresIn <= 0) throw invalid('expires_at');
      const current = seen(identity, key);
      const refusals = [
        ...(given !== null && given !== current.etags.at(-1)?.value ? ['ABORTED'] : []),
        ...(current.revokedAt !== null ? ['FAILED_PRECONDITION'] : []),
        ...(isPutOff(current, wanted) ? ['FAILED_PRECONDITION'] : []),
        ...(plan !== undefined && !isPlan(plan) ? ['INVALID_ARGUMENT'] : []),
        ...(identity.owner !== null && isOtherLimit(current, { plan, rateLimit })
          ? ['PERMISSION_DENIED']
          : []),
      ];
      if (refusals.length > 0) throw new Refusal(refusals);
      const other = Object.entries(wanted).filter(
        ([name, value]) => JSON.stringify(value) !== JSON.stringify(current[name as keyof ModelKey]),
      );
      const before = { ...current };
      const result = changed(model, current, Object.fromEntries(other), true);
      return { ...result, settles: narrowing(before, wanted, other.length > 0) };
    },
  };
}

/** How much a key may spend is not for its owner to say. */
function isOtherLimit(
  key: ModelKey,
  {
    plan = key.plan,
    rateLimit = key.rateLimit,
  }: { readonly [name in 'plan' | 'rateLimit']: ModelKey[name] | undefined },
): boolean {
  return plan !== key.plan || JSON.stringify(rateLimit) !== JSON.stringify(key.rateLimit);
}

/** A key that was rotated ends with its grace. */
function isPutOff(key: ModelKey, wanted: { readonly expiresAt?: number | null }): boolean {
  if (key.rotatedTo === null || wanted.expiresAt === undefined) return false;
  return (wanted.expiresAt ?? Infinity) > (key.expiresAt ?? Infinity);
}

export function rotatePlan(model: Model, step: StepOf<'rotate'>): Plan {
  const { graceMs, expiry, request } = step;
  const { id, key } = keyAt(model, step.key);
  const grace = graceMs === null ? null : graceMs === 0 ? '0s' : `${graceMs}ms`;
  const input = present({ grace_period: grace, ...expiryInput(model, expiry), request_id: request });
  return {
    ask: asking('rotateKey', input, id),
    needs: 'write',
    predict(identity) {
      if (isBadExpiry(expiry)) throw invalid(isPast(expiry) ? 'expires_at' : 'expires_in');
      const about = request === null ? null : requestOf(identity, `rotate ${id}`, request);
      const before = about === null ? undefined : model.requests.get(about);
      if (before?.rotatedFrom != null) {
        const rotated_key = shownKey(model, before.rotatedFrom);
        return { value: { ...shownKey(model, before), key: null, rotated_key }, settles: 'always' };
      }
      const old = seen(identity, key);
      if (stateOf(old, model.now) !== 'active' || old.rotatedTo !== null) throw precondition();
      return rotated(model, old, { graceMs: graceMs ?? 0, expiry, about, createdBy: identity.actor });
    },
  };
}

function rotated(
  model: Model,
  old: ModelKey,
  wish: {
    readonly graceMs: number;
    readonly expiry: StepOf<'rotate'>['expiry'];
    readonly about: string | null;
    readonly createdBy: ModelKey['createdBy'];
  },
): Prediction {
  const expires = expiresAt(model, wish.expiry);
  const made = newKey(
    model,
    { ...grantsOf(old), expiresAt: expires === undefined ? old.expiresAt : expires },
    { rotatedFrom: old, createdBy: wish.createdBy },
  );
  const last = Math.min(old.expiresAt ?? Infinity, model.now + wish.graceMs);
  const { changes = [] } = changed(model, old, { expiresAt: last, rotatedTo: made }, false);
  model.keys.push(made);
  if (wish.about !== null) model.requests.set(wish.about, made);
  const [shown, rotated_key] = [shownKey(model, made), shownKey(model, old)];
  const after = { rotated: shownKey(model, old), made: shownKey(model, made) };
  return {
    value: { ...shown, key: made.secret, rotated_key },
    settles: 'always',
    changes: changes.map((change) => ({ ...change, after })),
    learn: () => wrongMask(made),
  };
}

function grantsOf({
  name,
  scheme,
  environment,
  owner,
  permissions,
  ipAllowlist,
  plan,
  rateLimit,
  labels,
}: ModelKey) {
  return { name, scheme, environment, owner, permissions, ipAllowlist, plan, rateLimit, labels };
}

export function revokePlan(model: Model, { key: number }: StepOf<'revoke'>): Plan {
  const { id, key } = keyAt(model, number);
  return {
    ask: asking('revokeKey', {}, id),
    needs: 'write',
    predict(identity) {
      const current = seen(identity, key);
      const wanted = current.revokedAt === null ? { revokedAt: model.now } : {};
      return { ...changed(model, current, wanted, true), settles: 'always' };
    },
  };
}

export function disablePlan(model: Model, { key: number }: StepOf<'disable'>): Plan {
  const { id, key } = keyAt(model, number);
  return {
    ask: asking('disableKey', {}, id),
    needs: 'write',
    predict: (identity) => ({ ...switched(model, identity, key, true), settles: 'always' }),
  };
}

export function enablePlan(model: Model, { key: number }: StepOf<'enable'>): Plan {
  const { id, key } = keyAt(model, number);
  return {
    ask: asking('enableKey', {}, id),
    needs: 'write',
    predict: (identity) => ({ ...switched(model, identity, key, false), settles: 'never' }),
  };
}

function switched(model: Model, identity: Identity, key: ModelKey | null, isDisabled: boolean) {
  const current = seen(identity, key);
  if (current.revokedAt !== null) throw precondition();
  return changed(model, current, current.isDisabled === isDisabled ? {} : { isDisabled }, isDisabled);
}

/** The key that stands in the way of nothing and is only there to be changed, so that a watch knows its end. */
export function markKey(model: Model, owner: string | null): ModelKey {
  const found = model.keys.find((key) => key.isMark && (owner === null || key.owner === owner));
  if (found === undefined) throw new Error(`no key marks the watches of ${owner}`);
  return found;
}

export function markPlan(model: Model, owner: string | null): Plan {
  model.names += 1;
  const [key, name] = [markKey(model, owner), `mark ${model.names}`];
  return {
    ask: asking('updateKey', { name }, key.id.value ?? ''),
    needs: 'write',
    predict: () => ({ ...changed(model, key, { name }, false), settles: 'never' }),
  };
}
