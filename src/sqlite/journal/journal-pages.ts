import type { JournalFilter, JournalPage } from '../../journal/journal-store.ts';
import type { Parameters, Query } from '../statements.ts';

/** A page that ends with that entry at the latest; null for no end. */
export interface JournalRange extends JournalPage {
  readonly to: number | null;
}

/**
 * What a filter asks for, that which mostly leaves the fewest first: the index of the first that is given leads, unless
 * another is known to leave fewer.
 */
const filterColumns = ['target', 'owner', 'actor', 'action', 'outcome', 'kind'] as const;

/** At most `size` entries of the range that the filter keeps: read from an index, never sorted. */
export function journalPage(filter: JournalFilter, range: JournalRange, lead?: JournalColumn): Query {
  const given = columnsOf(filter, lead);
  const { from, conditions, order, parameters } = walk(filter, given, range);
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  return { sql: `SELECT * FROM ${from} ${where} ${order} LIMIT :size`, parameters };
}

/**
 * The sequence of the entry that is number `size` of the page, as the index has them; none where there are fewer.
 * Null where the index alone answers the filter: there is nothing to look through.
 */
export function journalSlice(filter: JournalFilter, page: JournalPage, lead?: JournalColumn): Query | null {
  const given = columnsOf(filter, lead);
  if (given.length < 2) return null;
  const range = { ...page, to: null, size: page.size - 1 };
  const { from, conditions, order, parameters } = walk(filter, given.slice(0, 1), range);
  const sql = `SELECT sequence FROM ${from} WHERE ${conditions.join(' AND ')} ${order} LIMIT 1 OFFSET :size`;
  return { sql, parameters };
}

/** Entries that are counted of one value: some milliseconds. Of more it is known only that they are many. */
const countedMax = 10_000;

/** How many entries each column that the filter asks for leaves by itself, none where there is but one. */
export function journalCounts(
  filter: JournalFilter,
): readonly (Query & { readonly column: JournalColumn })[] {
  const given = columnsOf(filter);
  if (given.length < 2) return [];
  return given.map((column) => ({
    column,
    sql: `SELECT count(*) AS count FROM
      (SELECT 1 FROM journal INDEXED BY journal_by_${column} WHERE ${column} = :value LIMIT ${countedMax})`,
    parameters: { value: filter[column] as string },
  }));
}

export type JournalColumn = (typeof filterColumns)[number];

function columnsOf(filter: JournalFilter, lead?: JournalColumn): readonly JournalColumn[] {
  const given = filterColumns.filter((column) => filter[column] !== undefined);
  return lead === undefined ? given : [lead, ...given.filter((column) => column !== lead)];
}

function walk(filter: JournalFilter, columns: readonly JournalColumn[], range: JournalRange) {
  const { after, to, size, order } = range;
  const conditions: string[] = [];
  const parameters: Parameters = { size };
  const where = (condition: string, name: string, value: string | number | null | undefined) => {
    if (value === null || value === undefined) return;
    conditions.push(condition);
    parameters[name] = value;
  };
  for (const column of columns) where(`${column} = :${column}`, column, filter[column]);
  // Times never go back along the journal, so that a range of them is a range of places.
  const firstFrom = (time: string) =>
    `SELECT sequence FROM journal WHERE at >= ${time} ORDER BY at, sequence LIMIT 1`;
  where(`sequence >= (${firstFrom(':since')})`, 'since', filter.since);
  const end = `coalesce((${firstFrom(':until')}), ${Number.MAX_SAFE_INTEGER})`;
  where(`sequence < ${end}`, 'until', filter.until);
  const isNewest = order === 'newest';
  where(`sequence ${isNewest ? '<' : '>'} :after`, 'after', after);
  where(`sequence ${isNewest ? '>=' : '<='} :to`, 'to', to);
  return {
    from: columns[0] === undefined ? 'journal' : `journal INDEXED BY journal_by_${columns[0]}`,
    conditions,
    order: `ORDER BY sequence ${isNewest ? 'DESC' : 'ASC'}`,
    parameters,
  };
}
