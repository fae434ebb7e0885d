import type { Migration } from './migration.ts';

/** Keys by when they were last good for something again. Older versions forget it of a key that they change. */
export const revivals: Migration = {
  readerMin: 2,
  statements: `
  ALTER TABLE keys ADD COLUMN revived_at INTEGER
    GENERATED ALWAYS AS (CASE WHEN json_valid(record) THEN record ->> '$.revivedAt' END) VIRTUAL;
  CREATE INDEX keys_by_revival ON keys (revived_at, id) WHERE revived_at IS NOT NULL;
  `,
};
