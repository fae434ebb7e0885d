/** A key of a file, as ImportKeys takes it, or what is wrong with it. */
export type ImportRow = { readonly place: string } & (
  | { readonly key: Readonly<Record<string, unknown>>; readonly fault: null }
  | { readonly key: null; readonly fault: Fault }
);

/** Neither quotes a value. */
export interface Fault {
  /** Empty for the row as a whole. */
  readonly field: string;
  readonly description: string;
}

/** Rows, some at a time, in the order of the file. */
export type ImportRows = AsyncIterable<readonly ImportRow[]>;

/** Ends the reading of one row. */
export class RowError extends Error {
  readonly fault: Fault;

  constructor(field: string, description: string) {
    super(description);
    this.name = 'RowError';
    this.fault = { field, description };
  }
}

/** The row that `read` answers, or the fault that it throws. */
export function importRow(place: string, read: () => Readonly<Record<string, unknown>>): ImportRow {
  try {
    return { place, key: read(), fault: null };
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    return { place, key: null, fault: error.fault };
  }
}

/** A label's name, made of what it may hold: `team name` as `team-name`. Null where nothing is left. */
export function labelName(text: string): string | null {
  const name = text.replace(/[^A-Za-z0-9._/-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return name === '' ? null : name.slice(0, 63);
}

/** Tags as labels: `team:grid` and `team=grid` have a value, others an empty one. */
export function tagLabels(tags: readonly string[]): Record<string, string> {
  return labelsOf(tags.map((tag) => splitTag(tag)));
}

/** Pairs as labels; those without a name that can be made one are left out. */
export function labelsOf(pairs: readonly (readonly [string, string])[]): Record<string, string> {
  const named = pairs.map(([text, value]) => [labelName(text), value] as const);
  return Object.fromEntries(named.filter(([name]) => name !== null));
}

function splitTag(tag: string): readonly [string, string] {
  const at = tag.search(/[:=]/);
  return at < 1 ? [tag, ''] : [tag.slice(0, at), tag.slice(at + 1)];
}

/** The secret itself: not a reference to where it is kept, which gateways take in its place. */
export function secretText(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new RowError('secret', 'is missing');
  if (/^\$(?:env|secret):\/\/|^\{vault:\/\/|^\$\{\{/.test(value)) {
    throw new RowError('secret', 'is a reference to where the key is kept, not the key');
  }
  return value;
}
