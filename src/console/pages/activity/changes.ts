import type { KeyRateLimit } from '../../api-answers.ts';
import { limitText } from '../keys/limit-fields.ts';

/** What became of one field: of a list its entries that came and went, of anything else its values. */
export interface FieldChange {
  readonly label: string;
  /** Empty for what was not set. */
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** Said elsewhere, or of no interest to a reader. */
const leftOut = new Set([
  ...['id', 'etag', 'created_at', 'updated_at', 'last_used_at', 'created_by', 'rate_limit', 'leaked'],
  ...['rotated_from', 'replaced_by', 'prefix', 'last4', 'active'],
]);

const labels: Readonly<Record<string, string>> = {
  ip_allowlist: 'Allowed addresses',
  principals: 'Allowed callers',
  external_id: 'Your id',
  rate_limits: 'Limits',
  keys_max: 'Keys at most',
  active_until: 'Active until',
};

/** The fields that differ, in the order of the API. `before` null: what a thing was made with. */
export function changesOf(before: unknown, after: unknown): readonly FieldChange[] {
  const [old, young] = [fieldsIn(before), fieldsIn(after)];
  if (young === null && old === null) return [];
  // Of a rotation the entry has two keys: what became of the one that was rotated.
  if (young !== null && fieldsIn(young.rotated) !== null) return changesOf(before, young.rotated);
  const names = [...new Set([...Object.keys(old ?? {}), ...Object.keys(young ?? {})])];
  return names.flatMap((name) => {
    if (leftOut.has(name)) return [];
    const [removed, added] = [entriesOf(name, old?.[name]), entriesOf(name, young?.[name])];
    const change = {
      label: labelOf(name),
      removed: removed.filter((entry) => !added.includes(entry)),
      added: added.filter((entry) => !removed.includes(entry)),
    };
    return change.removed.length + change.added.length === 0 ? [] : [change];
  });
}

function labelOf(name: string): string {
  const words = name.replaceAll('_', ' ');
  return labels[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

function entriesOf(name: string, value: unknown): readonly string[] {
  if (value === null || value === undefined || value === '') return [];
  if (Array.isArray(value)) {
    if (name === 'rate_limits') return value.map((limit) => limitText(limit as KeyRateLimit));
    return value.map(textOf);
  }
  const fields = fieldsIn(value);
  if (fields !== null) return Object.entries(fields).map(([label, text]) => `${label}=${textOf(text)}`);
  return [textOf(value)];
}

function textOf(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function fieldsIn(value: unknown): Readonly<Record<string, unknown>> | null {
  const isFields = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isFields ? (value as Readonly<Record<string, unknown>>) : null;
}
