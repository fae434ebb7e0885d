/** Why a Check denies, in the order in which it looks, with the status that CONTRACT-less schemes answer. */
export const reasonStatus = {
  cleartext: 403,
  missing: 401,
  ambiguous: 401,
  malformed: 401,
  unknown: 401,
  revoked: 401,
  disabled: 401,
  expired: 401,
  wrong_environment: 401,
  owner_inactive: 402,
  address_denied: 403,
  principal_denied: 403,
  permission_denied: 403,
  rate_limited: 429,
  unavailable: 503,
} as const satisfies Record<string, number>;

export type Reason = keyof typeof reasonStatus;
export const reasons = Object.keys(reasonStatus) as Reason[];

/**
 * The reasons of the first version, each of which a scheme with answers of its own answers. The list is closed: to a
 * reason that comes later the default answers wherever a scheme, which may be older, does not.
 */
export const requiredReasons: readonly Reason[] = [
  ...(['missing', 'ambiguous', 'malformed', 'unknown', 'revoked', 'disabled', 'expired'] as const),
  ...(['wrong_environment', 'owner_inactive', 'address_denied', 'permission_denied'] as const),
  ...(['rate_limited', 'unavailable'] as const),
];

/** What a template may mention as `{{name}}`; a value that is not known at that point reads `null`. */
export interface AnswerValues {
  readonly reason?: Reason | undefined;
  /** RFC 3339, to the second. */
  readonly expired_at?: string | undefined;
  readonly client_ip?: string | undefined;
  readonly allowed_ips?: readonly string[] | undefined;
  /** The permissions that the route asks for. */
  readonly required?: readonly string[] | undefined;
  /** Whole seconds. */
  readonly retry_after?: number | undefined;
  readonly limit?: number | undefined;
  /** Of the limit that denied. */
  readonly limit_name?: string | undefined;
}

const sample = {
  reason: 'unknown',
  expired_at: '2030-01-01T00:00:00Z',
  client_ip: '192.0.2.1',
  allowed_ips: ['192.0.2.0/24'],
  required: ['read:things'],
  retry_after: 1,
  limit: 1,
  limit_name: 'default',
} satisfies Required<AnswerValues>;

/** What a template may mention. */
export const placeholders = Object.keys(sample);

/** What the caller is told for one reason. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** What the body was compiled from. */
  readonly template: string;
  /** The body, with every value JSON-escaped. */
  body(values: AnswerValues): string;
}

/** A template that cannot be used; `message` says why in words for the one who wrote it. */
export class TemplateError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TemplateError';
  }
}

/**
 * Compiles a JSON text with `{{name}}` in it. Outside a JSON string the whole value is put in, quotes and
 * all; inside one its text is, escaped. Throws {@link TemplateError} on an unknown name, or when the text
 * is not JSON once filled in.
 */
export function compileTemplate(template: string): (values: AnswerValues) => string {
  const pieces = template.split(/\{\{([^{}]*)\}\}/);
  const slots: Slot[] = [];
  let inString = false;
  for (const [index, piece] of pieces.entries()) {
    if (index % 2 === 0) {
      inString = endsInString(piece, inString);
      continue;
    }
    const name = piece.trim();
    if (!isValueName(name)) {
      throw new TemplateError(`unknown placeholder {{${name}}}; there are: ${placeholders.join(', ')}`);
    }
    slots.push({ name, inString });
  }
  const literals = pieces.filter((_, index) => index % 2 === 0);
  for (const values of [sample, {}]) {
    try {
      JSON.parse(fill(literals, slots, values));
    } catch (error) {
      throw new TemplateError(`not JSON once its placeholders are filled in: ${(error as Error).message}`);
    }
  }
  if (slots.length === 0) return () => template;
  return (values) => fill(literals, slots, values);
}

interface Slot {
  readonly name: keyof AnswerValues;
  readonly inString: boolean;
}

function isValueName(name: string): name is keyof AnswerValues {
  return Object.hasOwn(sample, name);
}

function endsInString(json: string, startsInString: boolean): boolean {
  let inString = startsInString;
  for (let at = 0; at < json.length; at++) {
    const char = json.charAt(at);
    if (inString && char === '\\') at++;
    else if (char === '"') inString = !inString;
  }
  return inString;
}

function fill(literals: readonly string[], slots: readonly Slot[], values: AnswerValues): string {
  let text = literals[0] ?? '';
  for (const [index, slot] of slots.entries()) {
    const value = values[slot.name] ?? null;
    if (slot.inString) text += JSON.stringify(inText(value)).slice(1, -1);
    else text += JSON.stringify(value);
    text += literals[index + 1] ?? '';
  }
  return text;
}

function inText(value: string | number | readonly string[] | null): string {
  if (value === null) return '';
  return Array.isArray(value) ? value.join(', ') : String(value);
}
