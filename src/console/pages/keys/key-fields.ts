import type { Terms } from '../../../admin/terms-operations.ts';
import { parseDuration } from '../../../time/time.ts';
import { areaField, fieldsOf, type Option, selectField, textField } from '../../markup/controls.ts';
import type { Form } from '../../markup/form.ts';
import { type Element, html, type Markup } from '../../markup/markup.ts';
import { type Fault, Refusal } from '../../refusal.ts';

/** What stands in a form: what was sent, or else what holds. */
export type Value = (name: string) => string;

export function valueIn(form: Form): Value {
  return (name) => form.text(name);
}

/** Fields that both a new key and a change of one have. */
export function sharedFields(value: Value, faults: readonly Fault[], { schemes }: Terms): Markup {
  const plans = [...new Set(schemes.flatMap((scheme) => scheme.plans))];
  const field = fieldsOf(value, faults);
  return html`${areaField(field('permissions', 'Permissions', 'One on each line, such as read:assets. Without permissions the key can call only routes that require none.'))}
  ${areaField(field('roles', 'Roles', 'One on each line. Each gives its permissions besides.'))}
  ${areaField(
    field(
      'ip_allowlist',
      'Allowed addresses',
      'Addresses and CIDR blocks, such as 203.0.113.0/24, one on each line. None allows all.',
    ),
    { 'data-check': '/console/addresses' },
  )}
  ${areaField(field('principals', 'Allowed callers', 'Whom a caller’s certificate may name, one on each line: SPIFFE URIs and DNS names, such as spiffe://cluster.local/ns/shop/* or *.example.com. None allows all.'))}
  ${textField(field('plan', 'Plan', 'Sets the limits. Empty for the plan of its owner, or none.'), {
    ...{ maxlength: 64, list: 'plans', autocomplete: 'off' },
  })}
  <datalist id="plans">${plans.map((plan) => html`<option value=${plan}></option>`)}</datalist>
  ${textField(field('external_id', 'Your id', 'What your own system calls this key, if anything.'), {
    ...{ maxlength: 128, autocomplete: 'off' },
  })}
  ${areaField(field('labels', 'Labels', 'For you alone: name=value, one on each line.'))}`;
}

const lifetimes: readonly Option[] = [
  { value: '1d', text: '1 day' },
  { value: '7d', text: '7 days' },
  { value: '30d', text: '30 days' },
  { value: '60d', text: '60 days' },
  { value: '90d', text: '90 days' },
  { value: 'never', text: 'Never' },
];
/** That of a new key, where no rule says another. */
const lifetimeFirst = '90d';
const onDate = { value: 'date', text: 'On a date' };

/** Whether the rules take such a life of a key, whatever key it is. */
function isWithin(life: string, lifetimeMax: string | null): boolean {
  if (lifetimeMax === null) return true;
  const most = parseDuration(lifetimeMax);
  const lives = parseDuration(life);
  return lives !== null && most !== null && lives <= most;
}

/** Later ends than the one that holds, to the second; each is its own value. None for a key without an end. */
export function laterEnds(expiresAt: string | null, now: number): readonly Option[] {
  if (expiresAt === null) return [];
  const from = Math.max(Date.parse(expiresAt), now - (now % hourMs) + hourMs);
  return [30, 90].map((days) => {
    const value = `${new Date(from + days * 24 * hourMs).toISOString().slice(0, 19)}Z`;
    return { value, text: `+${days} days: until ${value.slice(0, 10)}` };
  });
}

const hourMs = 3_600_000;
const isTime = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$/;

/**
 * When a key ends. Without first choices, a lifetime; with some, of which the first stands for what holds, those, never
 * or a date.
 */
export function expiryFields(
  value: Value,
  faults: readonly Fault[],
  { lifetime_max, lifetime_default }: Terms,
  ...first: readonly Option[]
): Element {
  const allowed = lifetimes.filter(({ value: life }) => isWithin(life, lifetime_max));
  const byRule =
    lifetime_default === null ? [] : [{ value: '', text: `As the rules say (${lifetime_default})` }];
  const never = allowed.filter((life) => life.value === 'never');
  const given = value('expires_in');
  const longest = allowed.findLast((life) => life.value !== 'never')?.value ?? '';
  const isOffered = allowed.some((life) => life.value === lifetimeFirst);
  const preferred = first.length > 0 || byRule.length > 0 ? '' : isOffered ? lifetimeFirst : longest;
  const known = first.length === 0 ? [...byRule, ...allowed, onDate] : [...first, ...never, onDate];
  // One that was chosen in a form that was shown before.
  const earlier = isTime.test(given) && !known.some((choice) => choice.value === given);
  const choices = earlier ? [{ value: given, text: `Until ${given.slice(0, 10)}` }, ...known] : known;
  return html`<div class="together" data-dated="expires_in">
    ${selectField({ name: 'expires_in', label: 'Expiration', value: given || preferred, faults }, choices)}
    ${textField(
      {
        ...{ name: 'expires_on', label: 'Expiration date', value: value('expires_on'), faults },
        ...{ also: ['expires_at'], hint: 'The key works until the end of this day, UTC.' },
      },
      { type: 'date' },
    )}
  </div>`;
}

/** The end of the day that was chosen, RFC 3339; null where no date was chosen. Throws a {@link Refusal} for none. */
export function chosenDate(form: Form): string | null {
  const day = form.text('expires_on');
  const choice = form.text('expires_in');
  if (isTime.test(choice)) return choice;
  if (choice !== onDate.value) {
    // The API says that the two do not go together.
    return day === '' ? null : `${day}T23:59:59Z`;
  }
  if (day === '') throw fault('expires_on', 'choose a date');
  return `${day}T23:59:59Z`;
}

/** Labels as a form has them. */
export function labelsText(labels: Readonly<Record<string, string>>, separator = '\n'): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(separator);
}

/** Labels as the API takes them. Throws a {@link Refusal} for a name that is there twice. */
export function labelsIn(form: Form): Record<string, string> {
  const entries = form.lines('labels').map((line) => {
    const [name = '', ...rest] = line.split('=');
    return [name.trim(), rest.join('=').trim()] as const;
  });
  if (new Set(entries.map(([name]) => name)).size < entries.length)
    throw fault('labels', 'the same name is there twice');
  return Object.fromEntries(entries);
}

export const shownFields = [
  ...['name', 'scheme', 'environment', 'owner', 'permissions', 'roles', 'ip_allowlist', 'principals'],
  ...['plan', 'external_id', 'labels', 'rate_limits'],
  ...['expires_in', 'expires_on', 'expires_at'],
];

/**
 * Finds a plan that no scheme knows, or not the one that was chosen, before the API is asked. Who is bound to an owner
 * may give none, and is told so by the API.
 */
export function requirePlan(form: Form, { schemes, owner }: Terms, scheme: string | null): void {
  if (owner !== null) return;
  const plan = form.text('plan').toLowerCase();
  const own = schemes.find(({ name }) => name === scheme)?.plans ?? [];
  const known = own.length > 0 ? own : [...new Set(schemes.flatMap(({ plans }) => plans))];
  if (plan === '' || known.length === 0 || known.includes(plan)) return;
  const what = own.length > 0 ? 'is not a plan of this scheme' : 'is a plan that no scheme knows';
  throw fault('plan', `${what}; there are: ${known.join(', ')}`);
}

/** Finds a date that has passed, before the API is asked. */
export function requireFuture(expiresAt: string | null, now: number): void {
  const ms = expiresAt === null ? Number.NaN : Date.parse(expiresAt);
  if (ms <= now) throw fault('expires_on', 'is in the past');
}

export function fault(field: string, description: string): Refusal {
  return new Refusal(400, 'INVALID_FIELD', `${field}: ${description}`, [{ field, description }]);
}
