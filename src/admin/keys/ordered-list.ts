import type { KeyRecord } from '../../keys/key.ts';
import { type KeyPlace, type ListOrder, stateOrder } from '../../keys/key-order.ts';
import type { KeyFilter } from '../../store/records/key-filter.ts';
import type { Store } from '../../store/store.ts';

interface AskedPage {
  readonly after: KeyPlace | null;
  readonly size: number;
}

/** At most `size` keys that the filter keeps, in any order that callers may ask for, behind the place when it is given. */
export async function listOrdered(
  store: Pick<Store, 'listKeys' | 'listKeysInOrder'>,
  filter: KeyFilter,
  order: ListOrder,
  page: AskedPage,
): Promise<readonly KeyRecord[]> {
  const { by, isDescending } = order;
  if (by === 'state') return listByState(store, filter, isDescending, page);
  // The keys of one owner are all alike in that.
  if (by === 'owner' && filter.owner !== undefined) return listByAge(store, filter, isDescending, page);
  if (by === 'created_at' && isDescending) return listByAge(store, filter, true, page);
  return store.listKeysInOrder(filter, { by, isDescending }, page);
}

/** One state behind the other, each of which a store finds by the same means as a list of that state alone. */
async function listByState(
  store: Pick<Store, 'listKeys' | 'listKeysInOrder'>,
  filter: KeyFilter,
  isDescending: boolean,
  { after, size }: AskedPage,
): Promise<readonly KeyRecord[]> {
  const found: KeyRecord[] = [];
  const states = isDescending ? stateOrder.toReversed() : stateOrder;
  const begun = after === null ? 0 : states.findIndex((state) => stateOrder.indexOf(state) === after.value);
  for (const [at, state] of states.entries()) {
    if (at < begun || (filter.state !== undefined && filter.state !== state)) continue;
    const left = { after: at === begun ? after : null, size: size - found.length };
    found.push(...(await listByAge(store, { ...filter, state }, isDescending, left)));
    if (found.length === size) break;
  }
  return found;
}

function listByAge(
  store: Pick<Store, 'listKeys' | 'listKeysInOrder'>,
  filter: KeyFilter,
  isNewestFirst: boolean,
  { after, size }: AskedPage,
): Promise<readonly KeyRecord[]> {
  if (isNewestFirst) return store.listKeys(filter, { before: after?.id ?? null, size });
  const place = after === null ? null : { value: after.id, id: after.id };
  return store.listKeysInOrder(filter, { by: 'created_at', isDescending: false }, { after: place, size });
}
