import type { ConfigProblem } from './config-problem.ts';
import { nearestName, suggestion } from './nearest-name.ts';
import { knownSettings } from './settings-json-schema.ts';
import type { SettingsIssue } from './settings-schema.ts';

type RawIssue = Pick<SettingsIssue, 'code'> & Readonly<Record<string, unknown>>;

/** What was expected, in the words of the file, where a schema does not say it itself. */
export function wording(issue: RawIssue): string | undefined {
  const { code, expected, values, origin, minimum, maximum } = issue;
  const unit = origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : '';
  if (code === 'invalid_type') return `expected ${nouns[String(expected)] ?? expected}`;
  if (code === 'invalid_value' && Array.isArray(values)) return `expected ${listed(values)}`;
  if (code === 'too_small') return `expected ${minimum} or more${unit}`;
  if (code === 'too_big') return `expected ${maximum}${unit} at the most`;
  return undefined;
}

/** What is wrong, one for each place; of a value with several possible forms, by the one that was meant. */
export function problemsOf(
  issues: readonly SettingsIssue[],
  at: ConfigProblem['path'] = [],
): ConfigProblem[] {
  const unknown = issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? [issue] : []));
  const isMisspelt = (issue: SettingsIssue) =>
    issue.input === undefined &&
    unknown.some(({ path, keys }) => {
      const member = String(issue.path.at(-1));
      return issue.path.length === path.length + 1 && keys.some((key) => nearestName(key, [member]) !== null);
    });
  return issues.filter((issue) => !isMisspelt(issue)).flatMap((issue) => problemsOfOne(issue, at));
}

const prototypeKey = '__proto__';

/** Every `__proto__`, which zod leaves out of maps whose keys are free without a word. */
export function prototypeKeys(
  tree: unknown,
  path: ConfigProblem['path'] = [],
  around: readonly unknown[] = [],
): ConfigProblem[] {
  if (typeof tree !== 'object' || tree === null || around.includes(tree)) return [];
  return Object.entries(tree).flatMap(([key, value]) => {
    const part = Array.isArray(tree) ? Number(key) : key;
    if (part !== prototypeKey) return prototypeKeys(value, [...path, part], [...around, tree]);
    return [{ path: [...path, part], message: `there is no setting "${prototypeKey}"` }];
  });
}

function problemsOfOne(issue: SettingsIssue, at: ConfigProblem['path']): ConfigProblem[] {
  const path = [...at, ...issue.path].map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.filter((key) => key !== prototypeKey);
    return keys.map((key) => unknownMember(issue, path, key));
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map(({ message }) => ({ path, message: `is not a name for it; ${message}` }));
  }
  if (issue.code === 'invalid_union') {
    const form = meant(issue.errors);
    if (form !== null) return problemsOf(form, path);
  }
  if (issue.input === undefined && isAboutTheWhole(issue)) {
    return [{ path, message: `is missing; ${issue.message}` }];
  }
  const got = isAboutTheWhole(issue) ? received(issue) : '';
  return [{ path, message: issue.message + got }];
}

const secrets = ['admin_key', 'peppers', 'checksum_keys'];

function unknownMember(issue: SettingsIssue, path: ConfigProblem['path'], key: string): ConfigProblem {
  const known = knownSettings(path);
  const inPlace = [...path, key];
  if (path.length === 0 && secrets.includes(key)) {
    const variable = `POSTERN_${key.toUpperCase()}`;
    return { path: inPlace, message: `is a secret; expected it in ${variable} or ${variable}_FILE` };
  }
  if (!known.includes(key)) {
    return { path: inPlace, message: `there is no setting "${key}"${suggestion(key, known)}` };
  }
  const others = Object.keys(issue.input ?? {}).filter((other) => other !== key && known.includes(other));
  return { path: inPlace, message: `does not go with ${others.join(', ')}; expected one or the other` };
}

/** Of several forms that a value may have, the one that it is least far from; null when it is like none. */
function meant(forms: readonly (readonly SettingsIssue[])[]): readonly SettingsIssue[] | null {
  const near = forms.filter((issues) => issues.length > 0 && !issues.some(isOfTheWholeForm));
  const [nearest] = near.toSorted((one, other) => distance(one) - distance(other));
  return nearest ?? null;
}

function isOfTheWholeForm(issue: SettingsIssue): boolean {
  return issue.path.length === 0 && isAboutTheWhole(issue) && issue.code !== 'invalid_union';
}

/** Whether it is the value itself that is of another kind, and not something inside. */
function isAboutTheWhole({ code }: SettingsIssue): boolean {
  return code === 'invalid_type' || code === 'invalid_value' || code === 'invalid_union';
}

/** Members that are missing or too many weigh more than those that are wrong. */
function distance(issues: readonly SettingsIssue[]): number {
  const unknown = issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []));
  const missing = issues.filter((issue) => issue.input === undefined && isAboutTheWhole(issue));
  const misspelt = missing.filter(({ path }) => nearestName(String(path.at(-1)), unknown) !== null);
  return 2 * (unknown.length + missing.length - misspelt.length) + issues.length / 1_000;
}

const nouns: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map',
  record: 'a map',
  array: 'a list',
};

/** What there is instead. Of strings no more is said than that: they may hold a password. */
function received(issue: SettingsIssue): string {
  const { input } = issue;
  if (issue.code === 'invalid_value' && typeof input === 'string') {
    return suggestion(input, issue.values.map(String)).replace(/^; there are.*/s, '');
  }
  if (input === null) return ', got nothing';
  if (Array.isArray(input)) return ', got a list';
  if (typeof input === 'number') return `, got the number ${input}`;
  if (typeof input === 'boolean') return `, got ${input}`;
  if (typeof input !== 'string') return ', got a map';
  const isAsked = issue.code === 'invalid_type' && /number|int/.test(issue.expected);
  return isAsked && input.trim() !== '' && Number.isFinite(Number(input))
    ? ', got a string; write it without quotes'
    : ', got a string';
}

function listed(values: readonly unknown[]): string {
  const quoted = values.map((value) => JSON.stringify(value));
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}
