import { setImmediate } from 'node:timers/promises';
import type { KeyId } from '../../../keys/key.ts';
import type { KeyPlace } from '../../../keys/key-order.ts';
import type { KeyFilter } from '../../../store/records/key-filter.ts';
import type { Parameters, Query, Row } from '../../statements.ts';
import { conditionsOf } from './key-pages.ts';

/** Keys that are looked through before others have the thread: a few milliseconds. */
const sliceSize = 2_000;
/** Keys of an hour that are put in their order at once; whoever reads a page mostly needs no more of it. */
export const firstMax = 200;

/** How keys stand in an index, and what of it is gone through. */
export interface Slices {
  readonly index: string | null;
  readonly column: string;
  readonly value: string;
  readonly isDescending: boolean;
  readonly bound: string;
  /** Where not all of a slice are wanted, but the first by their value behind a place. */
  readonly first?: { readonly isDescending: boolean; readonly behind: KeyPlace | null };
}

/** What the filter keeps of so many keys at a time, in the order of the index, behind a place. */
export async function* slicesOf(
  all: (query: Query) => readonly Row[],
  filter: KeyFilter,
  { index, column, value, isDescending, bound, first }: Slices,
  after: KeyPlace | null,
): AsyncGenerator<readonly Row[]> {
  const { conditions, parameters } = conditionsOf(filter);
  const [behind, upTo, way] = isDescending ? ['<', '>=', 'DESC'] : ['>', '<=', 'ASC'];
  const from = index === null ? 'keys' : `keys INDEXED BY ${index}`;
  const place = (name: string, sign: string) => `(${column}, id) ${sign} (:${name}, :${name}_id)`;
  const order = `ORDER BY ${column} ${way}, id ${way}`;
  for (let last = after; ; await setImmediate()) {
    const start = last === null ? [bound] : [bound, place('start', behind)];
    const given: Parameters =
      last === null ? {} : { start: last.value as string | number, start_id: last.id };
    const [end] = all({
      sql: `SELECT ${column} AS value, id FROM ${from} WHERE ${start.join(' AND ')} ${order} LIMIT 1 OFFSET ${sliceSize - 1}`,
      parameters: given,
    });
    const range = end === undefined ? start : [...start, place('end', upTo)];
    const ended: Parameters =
      end === undefined ? {} : { end: end.value as string | number, end_id: String(end.id) };
    const met = `SELECT id, ${value} AS value FROM ${from} WHERE ${[...range, ...conditions].join(' AND ')}`;
    const sql = first === undefined ? `${met} ${order}` : firstOf(met, first);
    const wanted: Parameters =
      first?.behind == null ? {} : { behind: first.behind.value, behind_id: first.behind.id };
    yield all({ sql, parameters: used(sql, { ...parameters, ...given, ...ended, ...wanted }) });
    if (end === undefined) return;
    last = { value: end.value as string | number, id: String(end.id) as KeyId };
  }
}

function firstOf(met: string, { isDescending, behind }: NonNullable<Slices['first']>): string {
  const [sign, way] = isDescending ? ['<', 'DESC'] : ['>', 'ASC'];
  const where = behind === null ? '' : ` WHERE (value, id) ${sign} (:behind, :behind_id)`;
  // What is looked up for each is looked up once.
  return `WITH met AS MATERIALIZED (${met}) SELECT id, value FROM met${where} ORDER BY value ${way}, id ${way} LIMIT ${firstMax}`;
}

export function placeIn({ id, value }: Row): KeyPlace {
  return { id: String(id) as KeyId, value: value as KeyPlace['value'] };
}

/** SQLite refuses a parameter that a statement does not name. */
export function used(sql: string, parameters: Parameters): Parameters {
  const names = new Set(sql.match(/:[a-z0-9_]+/g));
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => names.has(`:${name}`)));
}
