import type { DatabaseSync } from 'node:sqlite';
import { foldLabels } from '../keys/label-text.ts';
import type { Migration } from './migration.ts';

/** What a search finds besides names. Older versions leave the labels as they were folded before. */
export const searchStep: Migration = {
  readerMin: 2,
  statements: `
  ALTER TABLE keys ADD COLUMN labels_folded TEXT;
  CREATE INDEX keys_by_last4 ON keys (lower(last4), id);
  `,
  complete: foldWhatIsThere,
};

const labels = "CASE WHEN json_valid(record) THEN record -> '$.labels' END";

function foldWhatIsThere(database: DatabaseSync): void {
  database.function('fold_labels', { deterministic: true }, (text) => foldLabels(readLabels(String(text))));
  database.exec(`UPDATE keys SET labels_folded = fold_labels(${labels})
    WHERE json_type(${labels}) = 'object' AND ${labels} <> '{}'`);
}

/** Those that can be read: what is stored may be anything. */
function readLabels(text: string): Readonly<Record<string, string>> {
  const entries = Object.entries(JSON.parse(text) as object);
  return Object.fromEntries(entries.filter(([, value]) => typeof value === 'string'));
}
