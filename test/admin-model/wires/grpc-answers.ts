import { isDeepStrictEqual } from 'node:util';
import type { Ask } from '../ask.ts';
import { shownEvent } from '../shown.ts';

/** A message of protobuf, of whatever type: what it has is read by its name. */
type Message = Readonly<Record<string, unknown>>;

const states = ['unspecified', 'active', 'disabled', 'revoked', 'expired'];

/** An answer in the contract's JSON shape. */
export function answerOf({ operation }: Ask, answer: unknown): unknown {
  const message = answer as Message;
  const settled = settledOf(message);
  switch (operation) {
    case 'createKey':
      return { ...keyOf(message.key), key: message.secret || null };
    case 'rotateKey': {
      const rotated_key = message.rotated_key === undefined ? null : keyOf(message.rotated_key);
      return { ...keyOf(message.key), key: message.secret || null, rotated_key, ...settled };
    }
    case 'getKey':
    case 'findKey':
    case 'updateKey':
    case 'revokeKey':
    case 'disableKey':
    case 'enableKey':
      return { ...keyOf(message.key), ...settled };
    case 'listKeys':
      return pageOf(message, message.keys, keyOf);
    case 'getKeyUsage': {
      const buckets = (message.buckets as Message[]).map(({ start, ...counts }) => ({
        ...counts,
        start: timeOf(start),
      }));
      return { buckets, last_used_at: timeOf(message.last_used_at), addresses: message.addresses };
    }
    case 'getKeyLimits':
      return (message.limits as Message[]).map(standingOf);
    case 'chargeKey':
      return standingOf(message.limit as Message);
    case 'verifyKey':
      return { ...message, reason: message.reason || null, key_id: message.key_id || null };
    case 'importKeys':
      return {
        ...message,
        failures: (message.failures as Message[]).map(({ index, field }) => ({ index, field })),
      };
    case 'reportLeakedKeys':
      return { received: message.received, ...settled };
    case 'putOwner':
    case 'updateOwner':
    case 'getOwner':
      return { ...ownerOf(message.owner), ...settled };
    case 'listOwners':
      return pageOf(message, message.owners, ownerOf);
    case 'putRole':
    case 'getRole':
    case 'deleteRole':
      return { ...roleOf(message.role), ...settled };
    case 'listRoles':
      return pageOf(message, message.roles, roleOf);
    case 'listAuditEvents':
      return pageOf(message, message.events, auditEventOf);
    case 'getDiagnostics':
      return { peppers: message.peppers };
    case 'getTerms':
      return {
        ...{ ...message, owner: message.owner || null },
        ...{ lifetime_max: message.lifetime_max ?? null, lifetime_default: message.lifetime_default ?? null },
      };
    case 'watchKeys':
      throw new Error('a watch has no one answer');
  }
}

/** The event in an answer of a watch; null for one that only moves the token on. */
export function eventOf(answer: unknown): Message | null {
  const { resume_token, at, type, target, owner, actor, details } = answer as Message;
  if (type === '') return null;
  const { before, after } = details as Message;
  return {
    ...{ id: resume_token, type, at: timeMsOf(at), target: target || null, owner: owner ?? null },
    ...{ actor: actor || null, details: { before: before ?? null, after: after ?? null } },
  };
}

function pageOf(message: Message, items: unknown, show: (item: unknown) => unknown) {
  return { data: (items as unknown[]).map(show), next_page_token: message.next_page_token || null };
}

function settledOf({ effective_at, unconfirmed_replicas }: Message) {
  return effective_at === undefined ? {} : { effective_at: timeMsOf(effective_at), unconfirmed_replicas };
}

function keyOf(given: unknown): Message {
  const { last_used_at, created_at, expires_at, updated_at, revoked_at, state, ...key } = given as Message;
  return {
    ...key,
    ...{ created_at: timeOf(created_at), last_used_at: timeOf(last_used_at), expires_at: timeOf(expires_at) },
    ...{ updated_at: timeOf(updated_at), revoked_at: timeOf(revoked_at), state: states[Number(state)] },
    ...{ owner: key.owner ?? null, plan: key.plan ?? null, rotated_from: key.rotated_from ?? null },
    ...{
      external_id: key.external_id ?? null,
      created_by: key.created_by ?? null,
      replaced_by: key.replaced_by ?? null,
    },
    blocked: key.blocked ?? null,
    rate_limit: key.rate_limit === undefined ? null : rateLimitOf(key.rate_limit as Message),
    rate_limits: (key.rate_limits as Message[]).map(limitOf),
  };
}

function limitOf({ name, limit, length, shared_by }: Message) {
  const { value } = length as { value: unknown };
  const { window } = rateLimitOf({ limit, window: value });
  return { name, limit, window, shared_by };
}

function standingOf({ resets_at, ...standing }: Message) {
  return { ...standing, resets_at: timeOf(resets_at) };
}

function rateLimitOf({ limit, window }: Message) {
  const { seconds, nanos } = window as { seconds: number; nanos: number };
  return { limit, window: `${seconds + nanos / 1e9}s` };
}

function ownerOf(given: unknown): Message {
  const { active_until, created_at, updated_at, billing_anchor, ...owner } = given as Message;
  return {
    ...owner,
    ...{ plan: owner.plan ?? null, active_until: timeOf(active_until), name: owner.name ?? null },
    ...{ contact: owner.contact ?? null, billing_anchor: timeOf(billing_anchor) },
    keys_max: owner.keys_max ?? null,
    ...{ created_at: timeOf(created_at), updated_at: timeOf(updated_at) },
  };
}

function roleOf(given: unknown): Message {
  const { created_at, updated_at, description, ...role } = given as Message;
  return {
    ...role,
    description: description ?? null,
    ...{ created_at: timeOf(created_at), updated_at: timeOf(updated_at) },
  };
}

/** Throws where the fields do not say what the line of JSON says. */
function auditEventOf(given: unknown): Message {
  const { json, ...message } = given as Message;
  const { at, actor, target, address, request_id, before, after, owner, error, ...others } = message;
  const { actor_name, target_name, ...rest } = others;
  const shown = {
    ...rest,
    ...{ at: timeMsOf(at), actor: actor || null, target: target || null, address: address || null },
    ...{ request_id: request_id || null, before: before ?? null, after: after ?? null },
    ...{ owner: owner ?? null, error: error || null },
    ...{ actor_name: actor_name || null, target_name: target_name || null },
  };
  const line = shownEvent(JSON.parse(String(json)) as Message);
  if (!isDeepStrictEqual(line, shown)) throw new Error(`${json} is not ${JSON.stringify(shown)}`);
  return shown;
}

function msOf(time: unknown): number {
  const { seconds, nanos } = time as { seconds: number; nanos: number };
  return seconds * 1_000 + nanos / 1_000_000;
}

/** To the second. */
function timeOf(time: unknown): string | null {
  return time === undefined ? null : `${new Date(msOf(time)).toISOString().slice(0, 19)}Z`;
}

function timeMsOf(time: unknown): string {
  return new Date(msOf(time)).toISOString();
}
