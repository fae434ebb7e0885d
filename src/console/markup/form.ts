import { Refusal } from '../refusal.ts';

/** What a form sent, each field once. */
export interface Form {
  /** As they were sent. */
  readonly fields: ReadonlyMap<string, string>;
  /** Whether it was sent, empty or not. */
  has(name: string): boolean;
  /** Without spaces around it; empty where it was not sent. */
  text(name: string): string;
  /** What spaces, commas and lines part. */
  list(name: string): string[];
  /** What lines part, as they stand but for spaces around them, without empty ones. */
  lines(name: string): string[];
}

/** Bytes of a form's body. */
export const formBytesMax = 64 * 1_024;
const fieldsMax = 55;

/** Throws a {@link Refusal} for a body that no form of the console sends. */
export function readForm(body: unknown): Form {
  const entries = Object.entries(body ?? {});
  if (entries.length > fieldsMax || entries.some(([, value]) => typeof value !== 'string')) {
    throw new Refusal(400, 'MALFORMED_FORM', 'This is not what a form of this console sends.');
  }
  const fields = new Map(entries as [string, string][]);
  const text = (name: string) => (fields.get(name) ?? '').trim();
  return {
    fields,
    has: (name) => fields.has(name),
    text,
    list: (name) =>
      text(name)
        .split(/[\s,]+/)
        .filter((part) => part !== ''),
    lines: (name) =>
      text(name)
        .split(/\r?\n/)
        .map((line) => line.trim())
        .filter((line) => line !== ''),
  };
}

export const emptyForm: Form = readForm({});
