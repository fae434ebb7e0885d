import { isKeyId } from '../../../keys/key.ts';
import type { Key } from '../../api-answers.ts';
import { html, type Markup, path, timeMarkup } from '../../markup/markup.ts';
import { tags } from '../../markup/parts.ts';
import type { Visit } from '../../session/visit.ts';
import { labelsText } from '../keys/key-fields.ts';
import { masked, stateMarkup } from '../keys/key-shown.ts';
import { limitsText } from '../keys/limit-fields.ts';

/** Keys beside this one whose names the page has read. */
export type Names = Readonly<Record<string, string>>;

type Fact = readonly [string, Markup];

/** What a key is: what it may do, from where, whose it is, and since when. */
export function factList(key: Key, visit: Pick<Visit, 'may' | 'terms'>, names: Names): Markup {
  return html`<dl class="facts" aria-label="About this key">
    ${[...identity(key, visit), ...grants(key, visit), ...life(key, visit, names)].map(
      ([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`,
    )}
  </dl>`;
}

function identity(key: Key, { may }: Pick<Visit, 'may'>): readonly Fact[] {
  const { id, owner, external_id: yours } = key;
  const isSeen = may('GetOwner');
  return [
    ['State', stateMarkup(key, isSeen)],
    ['Key', html`<code>${masked(key)}</code>`],
    [
      'Id',
      html`<span class="copied"><code id="key-id">${id}</code> <button class="plain" type="button" data-copy="key-id" hidden>Copy<span class="unseen"> the id</span></button></span>`,
    ],
    ...(yours === null ? [] : [['Your id', html`<code>${yours}</code>`] as const]),
    [
      'Owner',
      owner === null ? 'Nobody' : isSeen ? html`<a href=${path(['owners', owner])}>${owner}</a>` : owner,
    ],
    ['Scheme', `${key.scheme}, ${key.environment}`],
  ];
}

function grants(key: Key, { may, terms }: Pick<Visit, 'may' | 'terms'>): readonly Fact[] {
  const { roles, principals, rate_limits: limits } = key;
  return [
    ['Permissions', tags(key.permissions) ?? 'None of its own'],
    ...(roles.length === 0
      ? []
      : [['Roles', rolesMarkup(roles, may('GetRole') && terms.owner === null)] as const]),
    ['Allowed addresses', tags(key.ip_allowlist) ?? 'All'],
    ...(principals.length === 0 ? [] : [['Allowed callers', tags(principals)] as const]),
    ['Plan', key.plan ?? 'None of its own'],
    ...(limits.length === 0 ? [] : [['Limits of its own', limitsText(limits)] as const]),
    ['Labels', labelsText(key.labels, ', ') || 'None'],
  ];
}

/** Whose pages are for admin keys without an owner. */
function rolesMarkup(roles: readonly string[], isSeen: boolean): Markup {
  if (!isSeen) return roles.join(', ');
  return html`${roles.map((role, at) => html`${at > 0 ? ', ' : ''}<a href=${path(['roles', role])}>${role}</a>`)}`;
}

function life(key: Key, { may, terms }: Pick<Visit, 'may' | 'terms'>, names: Names): readonly Fact[] {
  const { rotated_from: from, replaced_by: to, revoked_at: revoked, created_by: by } = key;
  const link = (id: string) => html`<a href=${path(['keys', id])} title=${id}>${names[id] ?? id}</a>`;
  const isMakerSeen = by !== null && isKeyId(by) && (terms.owner === null || by === terms.actor);
  const maker =
    by === null || !may('ListAuditEvents') ? '' : html` by ${isMakerSeen ? link(by) : (names[by] ?? by)}`;
  return [
    ['Created', html`${timeMarkup(key.created_at)}${maker}`],
    ['Last used', timeMarkup(key.last_used_at)],
    ['Expires', timeMarkup(key.expires_at)],
    ...(revoked === null ? [] : [['Revoked', timeMarkup(revoked)] as const]),
    ...(from === null ? [] : [['Replaces', link(from)] as const]),
    ...(to === null ? [] : [['Replaced by', link(to)] as const]),
  ];
}
