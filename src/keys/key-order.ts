import { type KeyId, type KeyRecord, type KeyState, keyState } from './key.ts';
import { foldText } from './name-text.ts';

/** What a store lists keys by; those without it come last either way, the newest first. */
export const keyOrders = ['created_at', 'last_used_at', 'expires_at', 'name', 'owner'] as const;

/** What callers may ask for: those, and the state, which is another with the time alone. */
const listOrders = [...keyOrders, 'state'] as const;

/** The same as `order_by` has them. */
export const listOrderTexts = listOrders.flatMap((by) => [by, `${by} desc`]);

export interface ListOrder {
  readonly by: (typeof listOrders)[number];
  readonly isDescending: boolean;
}

/** States in the order of a list by them. */
export const stateOrder = ['active', 'disabled', 'expired', 'revoked'] as const satisfies readonly KeyState[];

/** A store's order. */
export interface KeyOrder {
  readonly by: (typeof keyOrders)[number];
  readonly isDescending: boolean;
}

export const newestFirst: KeyOrder = { by: 'created_at', isDescending: true };

/** Where a key stands in an order: by its value, and among those of the same value by its id. */
export interface KeyPlace {
  /** Unix milliseconds, a folded name, an id; null for a key without one. */
  readonly value: number | string | null;
  readonly id: KeyId;
}

export function placeOf(key: KeyRecord, { by }: KeyOrder): KeyPlace {
  return { value: orderedValue(key, by), id: key.id };
}

/** The same of a list by its state, which is judged at `now`: by its place in {@link stateOrder}. */
export function listPlaceOf(key: KeyRecord, order: ListOrder, now: number): KeyPlace {
  if (order.by !== 'state') return placeOf(key, { ...order, by: order.by });
  return { value: stateOrder.indexOf(keyState(key, now)), id: key.id };
}

/** Negative where the one comes before the other. */
export function comparePlaces({ isDescending }: KeyOrder, one: KeyPlace, other: KeyPlace): number {
  if (one.value === null || other.value === null) {
    if (one.value !== other.value) return one.value === null ? 1 : -1;
    return one.id < other.id ? 1 : one.id > other.id ? -1 : 0;
  }
  const up = compare(one.value, other.value) || compare(one.id, other.id);
  return isDescending ? -up : up;
}

function orderedValue(key: KeyRecord, by: KeyOrder['by']): KeyPlace['value'] {
  switch (by) {
    case 'created_at':
      // Ids sort by creation.
      return key.id;
    case 'last_used_at':
      return key.lastUsedAt;
    case 'expires_at':
      return key.expiresAt;
    case 'name':
      return foldText(key.name);
    case 'owner':
      return key.owner;
  }
}

/** Texts as stores compare them: by their bytes in UTF-8. */
function compare(one: number | string, other: number | string): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return Buffer.compare(Buffer.from(String(one)), Buffer.from(String(other)));
}
