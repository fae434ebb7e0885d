import type { AuditEvent } from '../../api-answers.ts';
import { html, type Markup, timeMarkup } from '../../markup/markup.ts';
import { grouped } from '../../markup/parts.ts';
import { actOf, wordsOf } from './acts.ts';
import { actorMarkup, targetMarkup } from './names.ts';

/** What an entry of the journal tells, as a sentence without its end: "**Ops key** disabled **CI 6**". */
export function sentenceOf(event: AuditEvent): Markup {
  if (event.outcome === 'refused') return refusal(event);
  const act = actOf(event.action);
  const told = special[event.action]?.(tellingOf(event)) ?? null;
  if (told !== null) return told;
  if (act === null) return html`${actorMarkup(event)} called ${wordsOf(event.action)}${aboutIt(event)}`;
  const said = filled(act.did, targetMarkup(event) ?? act.what);
  return act.about === 'notice' ? said : html`${actorMarkup(event)} ${said}`;
}

/** An entry with what special sentences look at. */
interface Telling {
  readonly event: AuditEvent;
  readonly actor: Markup;
  readonly target: Markup;
  readonly before: Fields | null;
  readonly after: Fields;
}

type Fields = Readonly<Record<string, unknown>>;

function tellingOf(event: AuditEvent): Telling {
  const { before, after } = event;
  return {
    ...{ event, actor: actorMarkup(event), target: targetMarkup(event) ?? actOf(event.action)?.what ?? '' },
    ...{ before: fieldsIn(before), after: fieldsIn(after) ?? {} },
  };
}

function fieldsIn(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null ? (value as Fields) : null;
}

/** Actions of which more is to be said than their words; null where they find nothing to say. */
const special: Readonly<Record<string, ((telling: Telling) => Markup) | undefined>> = {
  RotateKey: ({ event, actor, target, after }) => {
    const made = fieldsIn(after.made);
    if (made === null) return null;
    const successor = targetMarkup({ ...event, target: textOf(made.id), target_name: textOf(made.name) });
    return html`${actor} rotated ${target}: its successor is ${successor}`;
  },
  ImportKeys: ({ actor, after: { imported, missing } }) => {
    if (typeof imported === 'number') return html`${actor} imported ${counted(imported, 'key')}`;
    return typeof missing === 'number'
      ? html`Of an import by ${actor} ${counted(missing, 'key')} did not go in`
      : null;
  },
  ReportLeakedKeys: ({ actor, target, before, after }) => {
    const source = textOf(fieldsIn(after.leaked)?.source);
    const found = source === null ? '' : html`, found by ${foundBy(source)}`;
    const wasRevoked = before?.state === 'revoked';
    return html`${actor} reported ${target} as leaked${found}: it ${wasRevoked ? 'was revoked before' : 'is revoked'}`;
  },
  ChargeKey: ({ actor, target, after: { units, limit } }) => {
    if (typeof units !== 'number' || typeof limit !== 'string') return null;
    const amount = counted(Math.abs(units), 'unit');
    return html`${actor} ${units < 0 ? 'gave back' : 'charged'} ${amount} of the limit ${limit} to ${target}`;
  },
  PutOwner: ownerChange,
  UpdateOwner: ownerChange,
  PutRole: ({ actor, target, before }) =>
    before === null ? html`${actor} created the role ${target}` : null,
  CreatePortalSession: ({ actor, after: { owner } }) =>
    typeof owner === 'string' ? html`${actor} opened a portal session for <strong>${owner}</strong>` : null,
  DeletePortalSession: ({ actor, after: { owner } }) =>
    typeof owner === 'string' ? html`${actor} ended a portal session of <strong>${owner}</strong>` : null,
  SignIn: ({ actor, after: { owner } }) =>
    typeof owner === 'string' ? html`${actor} opened the console for <strong>${owner}</strong>` : null,
  RestoreStore: ({ after: { replayed_to: to } }) =>
    html`A restore of the store ended${typeof to === 'string' ? html`: changes were replayed up to ${to}` : ''}`,
  KeyExpiring: ({ event, target, after: { expires_at: at, keys } }) =>
    event.target === null
      ? many(keys, 'are about to expire')
      : html`${target} expires ${typeof at === 'string' ? html`on ${timeMarkup(at)}` : 'soon'}`,
  KeyUnused: ({ event, after: { keys } }) =>
    event.target === null ? many(keys, 'were not used for long') : null,
  NewAddress: ({ event, target, after }) => {
    if (event.target === null) return many(after.keys, 'were used from new addresses');
    const address = textOf(after.address) ?? event.address;
    if (address === null) return null;
    return html`${target} was used from an address that is new to it, <code>${address}</code>`;
  },
  PermissionDenied: ({ event, after: { keys } }) =>
    event.target === null ? many(keys, 'asked for what they may not') : null,
  ManyFailures: ({ after: { address, failures, addresses } }) =>
    typeof address === 'string'
      ? html`More than ${grouped(Number(failures))} requests from <code>${address}</code> failed`
      : html`Many requests from ${counted(Number(addresses ?? 0), 'address', 'addresses')} failed`,
  UnusualVolume: ({ event, target, after: { requests, most_before: most, keys } }) => {
    if (event.target === null) return many(keys, 'are used far more than at other times');
    if (typeof requests !== 'number' || typeof most !== 'number') return null;
    return html`${target} had ${counted(requests, 'request')} in an hour that had at most ${grouped(most)} before`;
  },
  LimitNearlySpent: ({ event, target, after: { limit, keys } }) => {
    if (event.target === null) return many(keys, 'have nearly spent a limit');
    return typeof limit === 'string' ? html`${target} has nearly spent its limit ${limit}` : null;
  },
  LimitExceeded: ({ event, target, after: { limit, keys } }) => {
    if (event.target === null) return many(keys, 'are beyond a limit');
    return typeof limit === 'string' ? html`${target} has spent its limit ${limit}` : null;
  },
};

function ownerChange({ actor, target, before, after }: Telling): Markup {
  if (before === null) return html`${actor} added the owner ${target}`;
  if (before.suspended === after.suspended) return null;
  return html`${actor} ${after.suspended === true ? 'suspended' : 'resumed'} the owner ${target}`;
}

/** Who, and what became of what they wanted. */
function refusal(event: AuditEvent): Markup {
  const { action, error, after } = event;
  if (action === 'RefusedCalls') return manyRefused(fieldsIn(after) ?? {});
  const act = actOf(action);
  const wish =
    act === null ? html`call ${wordsOf(action)}${aboutIt(event)}` : wishOf(event, act.would, act.what);
  if (error === 'PERMISSION_DENIED') return html`${actorMarkup(event)} was not allowed to ${wish}`;
  if (error === 'UNAUTHENTICATED') return html`Somebody without a valid admin key tried to ${wish}`;
  const why = refusals[error ?? ''];
  return html`${actorMarkup(event)} could not ${wish}${why === undefined ? '' : `: ${why}`}`;
}

function wishOf(event: AuditEvent, would: string, what: string): Markup {
  return filled(would, targetMarkup(event) ?? what);
}

function manyRefused({ calls_of_known_callers: known, calls_of_unknown_callers: unknown }: Fields): Markup {
  const calls = (count: unknown) => counted(Number(count ?? 0), 'call');
  return `${calls(known)} of known callers and ${calls(unknown)} of unknown ones were refused, too many to list`;
}

const refusals: Readonly<Record<string, string>> = {
  INVALID_ARGUMENT: 'what was sent is not valid',
  NOT_FOUND: 'there is no such thing',
  ALREADY_EXISTS: 'there is one already',
  FAILED_PRECONDITION: 'its state does not allow it',
  ABORTED: 'somebody else had changed it',
  RESOURCE_EXHAUSTED: 'there are too many',
};

/** Who found a leaked key, as people say it. */
export function foundBy(source: string): string {
  return source.startsWith('github:') ? 'GitHub' : source;
}

function aboutIt(event: AuditEvent): Markup {
  const target = targetMarkup(event);
  return target === null ? '' : html` on ${target}`;
}

function filled(words: string, target: Markup): Markup {
  const [start = '', end] = words.split('{}');
  return end === undefined ? start : html`${start}${target}${end}`;
}

/** A notice of many at once. */
function many(keys: unknown, what: string): Markup {
  return typeof keys === 'number' ? `${counted(keys, 'key')} ${what}` : null;
}

function counted(count: number, one: string, more = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : more}`;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
