import type { AuditEvent, Key, KeyLimit, Owner } from '../../api-answers.ts';
import { html, type Markup, path, timeMarkup } from '../../markup/markup.ts';
import { actorMarkup } from '../activity/names.ts';
import { foundBy } from '../activity/sentence.ts';

/** What decides whether requests with a key pass, as far as the reader may see it. */
export interface Known {
  readonly key: Key;
  /** Null where the key has none, or it may not be seen. */
  readonly owner: Owner | null;
  /** The key that it was rotated to; null where there is none, or it is gone. */
  readonly successor: Pick<Key, 'id' | 'name'> | null;
  /** The report that it leaked; null for none. */
  readonly leak: AuditEvent | null;
  /** The entry of its revocation, or that it was disabled; null where the journal has none. */
  readonly ending: AuditEvent | null;
  readonly limits: readonly KeyLimit[];
  /** Unix milliseconds. */
  readonly now: number;
}

export interface Standing {
  /** As `stateMark` has it. */
  readonly state: 'active' | 'warned' | 'blocked' | 'disabled' | 'revoked' | 'expired';
  /** The first word of the sentence. */
  readonly word: string;
  readonly rest: Markup;
}

const soonMs = 7 * 86_400_000;

/** Whether requests with the key pass, and why: what ended it for good before what holds for a while. */
export function standingOf(known: Known): Standing {
  const { state } = known.key;
  if (state === 'revoked') return ofRevoked(known);
  if (state === 'expired') return ofExpired(known);
  if (state === 'disabled')
    return { state, word: 'Disabled', rest: html`No request with it passes. ${endedBy(known)}` };
  if (known.key.blocked !== null) return { state: 'blocked', word: 'Blocked', rest: whyBlocked(known) };
  return ofActive(known);
}

function ofRevoked({ key, leak, ending, successor }: Known): Standing {
  const on = timeMarkup(key.revoked_at);
  if (leak !== null) {
    const { source, url } = placeOf(leak);
    const by = source === null ? '' : html` by <strong>${foundBy(source)}</strong>`;
    const where = url === null ? '' : html`, at <code>${url}</code>`;
    const rest = html`found${by} on ${timeMarkup(leak.at)}${where}. It was revoked on ${on}.`;
    return { state: 'revoked', word: 'Leaked', rest };
  }
  const by = ending === null ? '' : html` by ${actorMarkup(ending)}`;
  const replaced = successor === null ? '' : html` It was replaced by ${linkTo(successor)}.`;
  return { state: 'revoked', word: 'Revoked', rest: html`on ${on}${by}, for good.${replaced}` };
}

function ofExpired({ key, successor }: Known): Standing {
  const on = timeMarkup(key.expires_at);
  return successor === null
    ? { state: 'expired', word: 'Expired', rest: html`on ${on}.` }
    : { state: 'expired', word: 'Replaced', rest: html`by ${linkTo(successor)}; it worked until ${on}.` };
}

function ofActive({ key, successor, limits, now }: Known): Standing {
  const until = timeMarkup(key.expires_at);
  if (successor !== null) {
    const rest = html`by ${linkTo(successor)}, works until ${until}.`;
    return { state: 'warned', word: 'Replaced', rest };
  }
  const spent = limits.find(({ remaining }) => remaining <= 0);
  if (spent !== undefined) {
    const then = spent.resets_at === null ? 'never resets' : html`resets on ${timeMarkup(spent.resets_at)}`;
    return {
      state: 'warned',
      word: 'Limited',
      rest: html`its limit <strong>${spent.name}</strong> is spent and ${then}.`,
    };
  }
  const isEnding = key.expires_at !== null && Date.parse(key.expires_at) - now < soonMs;
  const end = key.expires_at === null ? 'does not expire' : html`expires on ${until}`;
  const use =
    key.last_used_at === null ? 'It was never used.' : html`Last used on ${timeMarkup(key.last_used_at)}.`;
  return { state: isEnding ? 'warned' : 'active', word: 'Active', rest: html`it ${end}. ${use}` };
}

function whyBlocked({ key, owner, now }: Known): Markup {
  const called =
    owner === null
      ? (key.owner ?? '')
      : html`<a href=${path(['owners', owner.id])}>${owner.name ?? owner.id}</a>`;
  if (owner?.suspended) return html`its owner ${called} is suspended.`;
  const end = owner?.active_until ?? null;
  const hasEnded = end !== null && Date.parse(end) <= now;
  return hasEnded
    ? html`the subscription of its owner ${called} ended on ${timeMarkup(end)}.`
    : html`its owner ${called} is not active.`;
}

function endedBy({ ending }: Known): Markup {
  return ending === null ? '' : html`Since ${timeMarkup(ending.at)}, by ${actorMarkup(ending)}.`;
}

function linkTo({ id, name }: Pick<Key, 'id' | 'name'>): Markup {
  return html`<a href=${path(['keys', id])}>${name}</a>`;
}

/** Where a leaked key was found, as its report has it. */
export function placeOf({ after }: AuditEvent): {
  readonly source: string | null;
  readonly url: string | null;
} {
  const { leaked } = Object(after) as { leaked?: { source?: unknown; url?: unknown } };
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);
  return { source: text(leaked?.source), url: text(leaked?.url) };
}

/** The sentence; its first word is the state. */
export function standingMarkup({ state, word, rest }: Standing): Markup {
  return html`<p class=${`standing ${state}`}><strong class="word">${word}</strong>: ${rest}</p>`;
}
