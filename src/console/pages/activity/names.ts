import { isKeyId } from '../../../keys/key.ts';
import type { AuditEvent } from '../../api-answers.ts';
import { html, type Markup, path } from '../../markup/markup.ts';
import { actOf } from './acts.ts';

/** Those who act without an admin key of their own, by what the journal calls them. */
const wellKnown: Readonly<Record<string, string>> = {
  POSTERN_ADMIN_KEY: 'The admin key of the settings',
  postern: 'Postern',
  'github-secret-scanning': 'GitHub',
};

/** Who did it, by the name that they had then; the id is on hover, and a key leads to its page. */
export function actorMarkup({ actor, actor_name: name = null, isActorHidden = false }: AuditEvent): Markup {
  if (actor === null) return html`<strong>Somebody unknown</strong>`;
  if (isKeyId(actor) && !isActorHidden)
    return html`<a class="name" href=${path(['keys', actor])} title=${actor}>${name ?? actor}</a>`;
  return html`<strong title=${actor}>${name ?? actorText(actor)}</strong>`;
}

function actorText(actor: string): string {
  if (actor.startsWith('portal:')) return 'A customer in a portal session';
  return wellKnown[actor] ?? actor;
}

/** The actor that somebody means by such a name; null for none of these. */
export function wellKnownActor(text: string): string | null {
  const wanted = text.toLowerCase();
  const found = Object.entries(wellKnown).find(([, name]) => name.toLowerCase().endsWith(wanted));
  return found?.[0] ?? null;
}

/** What it is about; null where the entry does not tell. */
export function targetMarkup({ action, target, target_name: name = null }: AuditEvent): Markup {
  if (target === null) return null;
  const place = placeOf(action, target);
  const shown = name ?? target;
  return place === null
    ? html`<strong title=${target}>${shown}</strong>`
    : html`<a class="name" href=${path([place, target])} title=${target}>${shown}</a>`;
}

function placeOf(action: string, target: string): string | null {
  if (isKeyId(target)) return 'keys';
  const about = actOf(action)?.about;
  if (about === 'owner' || action.startsWith('Limit')) return 'owners';
  return about === 'role' && action !== 'DeleteRole' ? 'roles' : null;
}
