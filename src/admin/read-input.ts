import type { z } from 'zod';
import { type FieldViolation, invalidArgument } from '../failure.ts';

/** Reads an input by its schema; throws INVALID_ARGUMENT that names every field at fault, and never its value. */
export function readInput<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const result = schema.safeParse(input, { reportInput: false });
  if (result.success) return result.data;
  throw invalidArgument(withoutRepeats(result.error.issues.flatMap(violationsOf)));
}

/** A number that is too large is too large for each of its bounds. */
function withoutRepeats(violations: readonly FieldViolation[]): FieldViolation[] {
  return [...new Map(violations.map((one) => [`${one.field}: ${one.description}`, one])).values()];
}

function violationsOf(issue: z.core.$ZodIssue): FieldViolation[] {
  const field = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: field === '' ? key : `${field}.${key}`,
      description: 'unknown field',
    }));
  }
  if (issue.code === 'invalid_union') {
    const first = meantBy(issue);
    if (first !== undefined) return violationsOf({ ...first, path: [...issue.path, ...first.path] });
  }
  if (issue.code === 'invalid_key')
    return issue.issues.map(({ message }) => ({ field, description: message }));
  return [{ field: field === '' ? '(body)' : field, description: wordsOf(issue) }];
}

/** Of a choice, what its schemas say in words of their own, and else what any says but that it is not one word. */
function meantBy({ errors, message }: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue | undefined {
  const inner = errors.flat();
  const own = inner.find(({ code }) => code === 'custom');
  if (own !== undefined || message !== 'Invalid input') return own;
  return inner.find(({ code }) => code !== 'invalid_value');
}

const kinds: Readonly<Record<string, string>> = {
  ...{ string: 'text', array: 'a list', boolean: 'true or false', number: 'a number', int: 'a whole number' },
  ...{ record: 'an object of names and values', object: 'an object' },
};

/** The schema's own words where it has any, and else what a person would say. */
function wordsOf(issue: z.core.$ZodIssue): string {
  const { code, message } = issue;
  if (!/^(?:Invalid|Too big|Too small|Unrecognized)\b/.test(message)) return message;
  switch (code) {
    case 'invalid_type':
      return message.endsWith('received undefined')
        ? 'is required'
        : `is not ${kinds[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `is not one of ${issue.values.map(String).join(', ')}`;
    case 'too_big':
      return `may ${amount('at most', issue.maximum, issue.origin)}`;
    case 'too_small':
      return `must ${amount('at least', issue.minimum, issue.origin)}`;
    default:
      return 'is not of the form that is expected';
  }
}

/** How many there may be of what a list or a text has, or what a number may be. */
function amount(bound: string, count: number | bigint, of: string): string {
  if (of === 'array') return `have ${bound} ${count} ${Number(count) === 1 ? 'entry' : 'entries'}`;
  return of === 'string' ? `have ${bound} ${count} characters` : `be ${bound} ${count}`;
}
