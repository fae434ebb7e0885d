import type { Fault } from '../../refusal.ts';

/** A key as the API takes the report of it. */
export interface ReportedKey {
  readonly key: string;
  readonly url?: string;
  readonly source?: string;
}

/** What a report says of all keys that do not say it themselves; empty for nothing. */
export interface Whereabouts {
  readonly url: string;
  readonly source: string;
}

/** Keys of one report, as the API has it. */
export const reportedMax = 1_000;

/**
 * Reads what somebody pasted: the body that the API takes, the message of a secret scanner in GitHub's form, a JSON list of keys, or a key on
 * each line. What is wrong with it names no key.
 */
export function readReport(text: string, where: Whereabouts): readonly ReportedKey[] | Fault {
  const found = isJson(text) ? fromJson(text, where) : fromLines(text).map((key) => reported({ key }, where));
  if (found === null) {
    return fault(
      'is JSON of a form that is not known: a list of keys, of matches with a token, or {"keys": […]}',
    );
  }
  if (found.length === 0) return fault('has no key in it');
  if (found.length > reportedMax) return fault(`may have at most ${reportedMax} keys at a time`);
  return found;
}

export function isFault(read: readonly ReportedKey[] | Fault): read is Fault {
  return 'field' in read;
}

function isJson(text: string): boolean {
  return /^[[{]/.test(text.trim());
}

/** Blanks and quotes around a key are none of it, nor is a word before it, as in a header that was copied. */
function fromLines(text: string): readonly string[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const key = line
      .trim()
      .replace(/^(?:authorization:\s*)?bearer\s+/i, '')
      .replace(/^["'`](.*)["'`],?$/, '$1')
      .trim();
    return key === '' ? [] : [key];
  });
}

function fromJson(text: string, where: Whereabouts): readonly ReportedKey[] | null {
  const list = listIn(text);
  if (list === null) return null;
  const keys = list.map((entry) => {
    if (typeof entry === 'string') return reported({ key: entry.trim() }, where);
    const { key, token, url, source } = Object(entry) as Readonly<Record<string, unknown>>;
    const secret = textOf(key) ?? textOf(token);
    return secret === null
      ? null
      : reported({ key: secret, url: textOf(url), source: textOf(source) }, where);
  });
  return keys.every((key) => key !== null) ? keys : null;
}

function listIn(text: string): readonly unknown[] | null {
  try {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed)) return parsed;
    const { keys } = Object(parsed) as { readonly keys?: unknown };
    return Array.isArray(keys) ? keys : null;
  } catch {
    // The parser's message quotes the text.
    return null;
  }
}

function reported(
  { key, url = null, source = null }: { key: string; url?: string | null; source?: string | null },
  where: Whereabouts,
): ReportedKey {
  const [at, by] = [url ?? where.url, source ?? where.source];
  return { key, ...(at !== '' && { url: at }), ...(by !== '' && { source: by }) };
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function fault(description: string): Fault {
  return { field: 'keys', description };
}
