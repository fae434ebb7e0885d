import type { ExpiryRange } from '../../../journal/journal-store.ts';
import type { Query } from '../../statements.ts';
import { query } from './key-pages.ts';
import { recordColumns } from './records.ts';

/** Keys that are not revoked and end within the range, by their end. */
export function expiryPage(range: ExpiryRange, size: number): Query {
  const { after, until, last } = range;
  const start = last === undefined ? 'expires_at > :after' : '(expires_at, id) > (:after, :last)';
  return query(
    `SELECT ${recordColumns} FROM keys INDEXED BY keys_by_end`,
    ['revoked_at IS NULL', start, 'expires_at <= :until'],
    'ORDER BY expires_at, id LIMIT :size',
    { after: last?.expiresAt ?? after, until, size, ...(last !== undefined && { last: last.id }) },
  );
}
