import { eventTypes } from '../../events/events.ts';
import { periods } from '../../keys/limit.ts';
import type { Schema } from './operation.ts';
import { closed, count, list, orNull, reference, text, time } from './schema-forms.ts';

export const texts: Schema = { type: 'string' };

const rateLimit = closed({
  limit: { type: 'integer', minimum: 1, description: 'Units admitted in a window.' },
  window: text('The length of the window, in seconds: `60s`.', { pattern: '^[0-9.]+s$' }),
});

const limit = closed(
  {
    name: text('Unique in its list.', { pattern: '^[a-z0-9_-]{1,32}$' }),
    limit: { type: 'integer', minimum: 1, description: 'Units in each window or period.' },
    window: text('The length of its windows, in seconds: `60s`. Either this or `period`.', {
      pattern: '^[0-9.]+s$',
    }),
    period: text("Of the calendar in UTC, or from the owner's billing anchor; `total` never resets.", {
      enum: periods,
    }),
    shared_by: text('Whose keys spend from one counter.', { enum: ['key', 'owner'] }),
  },
  ['window', 'period'],
);

const key = {
  id: text('Names the key everywhere but in a request that uses it.', { pattern: '^key_[0-9a-z]{26}$' }),
  name: text('What people call it.'),
  prefix: text('The prefix of the scheme and the first four characters of the secret part.'),
  permissions: list(texts, 'What the key may do.'),
  created_at: time('When it was made.'),
  last_used_at: orNull(
    time('When a Check last allowed it, or it made an admin call. May lag by up to 10 s.'),
  ),
  expires_at: orNull(time('From this instant on it is expired; null if it never is.')),
  scheme: text('The scheme that it was made for.'),
  environment: text('The environment that it is valid in.'),
  owner: orNull(text('Who it belongs to; null for nobody.')),
  last4: text('The last four characters of the secret.'),
  ip_allowlist: list(texts, 'Addresses and CIDR blocks that may use it; empty for any.'),
  plan: orNull(text("The plan whose rate limit holds; null for its owner's.")),
  rate_limit: {
    anyOf: [reference('RateLimit'), { type: 'null' }],
    description: 'Its own rate limit where it has one with a window and nothing else; see `rate_limits`.',
  },
  labels: { type: 'object', additionalProperties: texts, description: 'Free-form, for the operator.' },
  state: text('As judged when this answer was made.', { enum: ['active', 'disabled', 'revoked', 'expired'] }),
  updated_at: time('When it was last changed.'),
  revoked_at: orNull(time('When it was revoked; null unless it is.')),
  rotated_from: orNull(text('The key that this one replaced; null unless a rotation made it.')),
  etag: text('Changes with every change of the key; opaque.'),
  roles: list(texts, 'The ids of its roles, which give it their permissions besides.'),
  rate_limits: list(reference('Limit'), "All limits of its own; empty for its plan's."),
  principals: list(
    texts,
    "SPIFFE URIs and DNS names, of which a caller's certificate names one; empty for any caller.",
  ),
  external_id: orNull(text('What those who made it call it; null for nothing.')),
  created_by: orNull(text('Who made it, as `actor` of an audit event; null where that is not known.')),
  replaced_by: orNull(text('The key that replaced this one, by a rotation; null if none did.')),
  blocked: {
    type: ['string', 'null'],
    enum: ['owner_inactive', null],
    description:
      'Why a Check denies it though its `state` is `active`, as judged when this answer was made; null for nothing.',
  },
};

export const settlement = {
  effective_at: time('From this instant on every replica judges by the new record; to the millisecond.'),
  unconfirmed_replicas: list(texts, 'The replicas that had not confirmed in time.'),
};

const secret = orNull(
  text(
    'The whole key, in this answer and no other. Null in the answer to a retry with the same `request_id`.',
  ),
);

const owner = {
  id: text('What `owner` of a key says.'),
  plan: orNull(text('The plan of its keys that have none of their own.')),
  active_until: orNull(time('From this instant on it is inactive; null if it never is by itself.')),
  suspended: { type: 'boolean', description: 'Whether it is inactive whatever `active_until` says.' },
  active: { type: 'boolean', description: 'Whether its keys could be used when this answer was made.' },
  created_at: time('When it was first put.'),
  updated_at: time('When it was last put or changed.'),
  etag: text('Changes with every change of the owner; opaque.'),
  name: orNull(text('What people call it.')),
  contact: orNull(text('Whom to write to.')),
  labels: { type: 'object', additionalProperties: texts, description: 'Free-form, for the operator.' },
  billing_anchor: orNull(
    time('From when the periods of its limits run; null for those of the calendar in UTC.'),
  ),
  keys_max: orNull(count('The most keys that it may have; null for no bound of its own.')),
};

const hash = { pattern: '^[0-9a-f]{64}$' };

const auditEvent = closed(
  {
    id: text('`evt_` and its place in the audit log.', { pattern: '^evt_[0-9]{16}$' }),
    at: time('To the millisecond.'),
    actor: orNull(
      text(
        'The id of the admin key, `POSTERN_ADMIN_KEY`, or the name in a certificate; null for nobody known.',
      ),
    ),
    action: text('The name of the RPC, as in `RevokeKey`; of a notice, its own.'),
    target: orNull(text('The key, the owner or the import that it was about.')),
    outcome: text('Whether it was done.', { enum: ['ok', 'refused'] }),
    address: orNull(text('The IP address of the caller.')),
    request_id: orNull(text('What the caller named the call, by `X-Request-Id`.')),
    before: { description: 'The thing before the change; null for nothing.' },
    after: { description: 'The thing after the change; null for nothing.' },
    owner: orNull(text('Whose key it was about.')),
    error: orNull(text('The code that a refused call was answered with.')),
    kind: text('An admin call, or something that an operator wants to hear of.', {
      enum: ['call', 'notice'],
    }),
    once: orNull(text('Of what is written once however often it is seen: its name.')),
    previous_hash: text('The `hash` of the event before.', hash),
    hash: text('SHA-256 of the event as JSON in this order, without spaces and without `hash`.', hash),
    actor_name: orNull(
      text('The name of that admin key, or an e-mail, as it was then; null where there is none.'),
    ),
    target_name: orNull(text('The name of what it was about, as it was then; null where there is none.')),
  },
  // Entries of releases that did not write them have neither.
  ['actor_name', 'target_name'],
);

const event = closed({
  id: text('That of its entry in the audit log; a later watch goes on after it.'),
  type: text('What happened.', { enum: eventTypes }),
  at: time('To the millisecond.'),
  target: orNull(text('The key or the owner that it is about.')),
  owner: orNull(text('Whose key it is.')),
  actor: orNull(text('Who did it.')),
  details: {
    type: 'object',
    description: '`before` and `after` of a change; of a notice, what it is about.',
  },
});

const usage = closed({
  buckets: list(
    closed({
      start: time('The beginning of the hour.'),
      allowed: count('Requests that were allowed.'),
      denied: {
        type: 'object',
        additionalProperties: { type: 'integer' },
        description: 'Requests that were refused, by reason, as in `rate_limited`.',
      },
      observed: {
        type: 'object',
        additionalProperties: { type: 'integer' },
        description:
          'Requests that were allowed though they would have been refused, since they are only observed, by reason.',
      },
    }),
    'Hours in which something happened, oldest first.',
  ),
  last_used_at: orNull(time('When a Check last allowed the key.')),
  addresses: list(texts, 'Where requests came from in these hours, a sample.'),
});

const usedLimit = closed({
  name: text('The name of the limit.'),
  limit: { type: 'integer', minimum: 1, description: 'Units in each window or period.' },
  used: {
    type: 'integer',
    description:
      'Never less than what was spent, and more by at most a twentieth of the limit for what replicas hold.',
  },
  remaining: count('Units left.'),
  resets_at: orNull(time('When the next window or period begins; null for never.')),
  shared_by: text('Whose keys spend from the counter.', { enum: ['key', 'owner'] }),
});

const verification = closed(
  {
    allowed: { type: 'boolean', description: 'Whether a Check would allow the request.' },
    reason: orNull(text('Why not, as in `revoked` or `permission_denied`; null if allowed.')),
    status: { type: 'integer', description: 'The HTTP status that the caller would read: 200 if allowed.' },
    key_id: orNull(text('The id of the key; null where no such key is known.')),
    observed: {
      type: 'boolean',
      description:
        'There, and true, where it is only observed: allowed whatever `reason` and `status` say, which tell what would be answered if it were enforced.',
    },
  },
  ['observed'],
);

const error = closed({
  error: closed({
    code: text("gRPC's name of the kind of error, as in `NOT_FOUND`."),
    message: text('For people; quotes nothing that was sent.'),
    details: closed(
      {
        reason: text('Which error it is, as in `KEY_NOT_FOUND`.'),
        fields: list(
          closed({ field: text('The path of the field, as in `rate_limit.window`.'), description: texts }),
          'Every field at fault, with INVALID_ARGUMENT.',
        ),
      },
      ['fields'],
    ),
  }),
});

/** The schemas that operations refer to, by their names. */
export const schemas: Readonly<Record<string, Schema>> = {
  Key: closed(key),
  CreatedKey: closed({ ...key, key: secret }),
  NarrowedKey: closed({ ...key, ...settlement }),
  UpdatedKey: closed({ ...key, ...settlement }, Object.keys(settlement)),
  RotatedKey: closed({
    ...key,
    key: secret,
    rotated_key: {
      anyOf: [reference('Key'), { type: 'null' }],
      description: 'The old key; null where it is gone by the time of a retry.',
    },
    ...settlement,
  }),
  RateLimit: rateLimit,
  Limit: limit,
  Usage: usage,
  UsedLimit: usedLimit,
  Verification: verification,
  Owner: closed(owner),
  PutOwner: closed({ ...owner, ...settlement }),
  UpdatedOwner: closed({ ...owner, ...settlement }, Object.keys(settlement)),
  AuditEvent: auditEvent,
  Event: event,
  Error: error,
};
