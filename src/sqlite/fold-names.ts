import type { DatabaseSync } from 'node:sqlite';
import { foldText } from '../keys/name-text.ts';

/** Names that are ASCII are folded as they always were. */
export function foldNames(database: DatabaseSync): void {
  database.function('fold_text', { deterministic: true }, (text) => foldText(String(text)));
  database.exec(`
    UPDATE keys SET name_folded = fold_text(CASE WHEN json_valid(record) THEN record ->> '$.name' END)
    WHERE name_folded GLOB '*[^ -~]*' AND CASE WHEN json_valid(record) THEN record ->> '$.name' END IS NOT NULL`);
}
