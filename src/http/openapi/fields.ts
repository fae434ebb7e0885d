/** What each field of a request is for, by its name, which means the same wherever it stands. */
export const fieldNotes: Readonly<Record<string, string>> = {
  name: 'What people call the key: 1 to 200 characters, one of which can be seen, not unique. Blanks around are cut off.',
  scheme: 'The name of a scheme. Absent on create: the first that is configured.',
  environment: 'Such as `live` or `test`. Absent on create: the one that the service serves.',
  owner: 'Who the key belongs to. Absent on create: nobody, or the owner of the calling admin key.',
  permissions: 'What the key may do, such as `read:assets`. Of a request to verify: what its route asks for.',
  roles: 'The ids of roles, which give the key their permissions besides; at most 20.',
  external_id:
    'What you call the key: 1 to 128 characters, unique among the keys of its owner that are not revoked. In a list: keys of exactly this one.',
  unused_since: 'Keys that were last used before this time, or never and made before it.',
  expires_before: 'Keys that expire before this time, or have expired.',
  role: 'Keys that name this role.',
  order_by:
    'What the keys are listed by, a state as active, disabled, expired, revoked; keys without that value come last either way. Absent: `created_at desc`.',
  include_total: 'Whether the answer has `total_size`: how many keys there are on all pages.',
  description: 'What it is for, at most 256 characters.',
  permission: 'Keys that have this permission.',
  name_contains: 'Keys whose name holds this, whatever the case of its letters and its Unicode form.',
  search:
    "An id, the beginning that is shown of a key, its last four, part of a name, or the beginning of a label's value, " +
    'alone or as `name=value`, whatever the case of letters and the Unicode form. A whole key is refused: `POST /admin/api-keys:find` takes it.',
  state: 'Keys in this state, as judged now.',
  ip_allowlist: 'Addresses and CIDR blocks, IPv4 or IPv6, that may use the key; empty for any.',
  principals:
    "Whom a caller's certificate may name: SPIFFE URIs, with `/*` behind for all below, and DNS names, with `*.` in front " +
    'for all below; empty for any caller.',
  expires_at: 'When the key expires. At most one of `expires_at` and `expires_in`.',
  expires_in:
    'How long the key lives: `never`, or a number and a unit, as in `36h` or `30d`. At most one of `expires_at` and ' +
    '`expires_in`.',
  plan: 'The name of a plan, whose rate limit holds where there is none of its own.',
  rate_limit:
    'The rate limit of the key itself, which wins over its plan and its owner. At most one of it and `rate_limits`.',
  rate_limits: 'All limits of the key itself, which hold at once and replace those of its plan; at most 8.',
  labels: 'Free-form, for the operator; Envoy gets them as dynamic metadata.',
  request_id:
    'Makes a retry safe: a second call with the same value makes no second key. It answers the key that the first ' +
    'one made, with `key` null.',
  etag: 'Only if the thing still has this etag; `If-Match` does the same. Another one is 409 ABORTED.',
  grace_period: 'How long the old key is still allowed, as in `24h`. Absent or `0s`: it ends at once.',
  key: 'The whole key, as its user presents it, without a scheme word such as `Bearer`.',
  keys: 'Each is judged by itself.',
  dry_run: 'Says what would become of the keys, and changes nothing.',
  filter: 'What the keys meet, as in the query of a list. At least one of `filter` and `ids`.',
  ids: 'At most 10000 ids; one that there is not is left.',
  secret: 'The whole key, of the form of its scheme. Either this or `sha256`.',
  sha256:
    'Of a key that was made elsewhere, SHA-256 of the whole: 64 hexadecimal digits, or base64 or base64url of the ' +
    '32 bytes.',
  disabled: 'Whether the key is to be disabled.',
  prefix: 'What lists show of the beginning of a key that comes as a digest.',
  last4: 'The last four characters of a key that comes as a digest.',
  method: 'The HTTP method of the request, as in `GET`; like `host` and `path`, finds the route rule.',
  host: 'The host of the request.',
  path: 'The path of the request.',
  address: 'The IP address of the caller. Absent: the allowlist of the key is not judged.',
  principal:
    "Whom the caller's certificate names; empty for nobody. Absent: the key's `principals` are not judged.",
  page_size: 'How many in one answer, up to 1000. Absent or 0: 100.',
  page_token: 'The `next_page_token` of the answer before, with the same filters.',
  since: 'From this time on.',
  until: 'Before this time.',
  group_by: 'What use is added up by. Absent: `none`.',
  interval: 'Over how long, in UTC; `all` is the whole time asked for. Absent: `hour`.',
  actor: 'Calls by this actor: the id of an admin key, `POSTERN_ADMIN_KEY`, or the name in a certificate.',
  action: 'Calls of this name, as in `RevokeKey`.',
  target: 'What is about this key or owner.',
  history: 'With `target`, a key: also what is about the keys that it replaced, and that replaced it.',
  outcome: 'Calls that ended so.',
  decision: 'Requests that ended so; `observed`: would have been denied, but for observe mode.',
  reason: 'Requests that were denied for this reason, or would have been.',
  notices:
    'Also what is not an admin call. All of the audit log is then there, as verifying its hashes needs.',
  order: 'Which come first. Absent: `newest`.',
  after: 'The id of an event: the list begins with the one that follows it, in that order.',
  resume_token: 'The id of the last event that was seen; `Last-Event-ID` does the same. Absent: from now on.',
  types: 'Only events of these types, with commas between. Absent: all.',
  id: 'The id in the path; may be left out.',
  active_until: 'When the subscription ends; a time in the past ends it now. Absent: never.',
  contact: 'Whom to write to, free-form.',
  billing_anchor:
    'From when the periods of its limits run, from 1970 on, to the second. Absent: those of the calendar in UTC.',
  keys_max: 'The most keys that the owner may have. Absent: no bound of its own.',
  suspended: 'Stops the owner at once, until it is put again without, or changed to false.',
  limit: 'The name of the limit. Absent: the only one that the key has.',
  units: 'Units that were spent, and not 0; less than 0 gives back.',
  url: 'Where it was found, for the audit log.',
  source: 'Who found it, or how.',
  return_url: 'Where a link on every page leads back to; its origin is one of `console.return_origins`.',
};
