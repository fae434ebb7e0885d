import { expect, it } from 'vitest';
import { type Store, StoreUnavailable } from '../../../src/store/store.ts';
import { minuteMs, type RequestFilter, type StoredRequest } from '../../../src/store/usage/request-log.ts';
import type { CreateStore } from '../../store-contract.ts';
import { nextId, opened, testNow } from '../setting.ts';

const minute = testNow - (testNow % minuteMs);

/** The log of requests. */
export function requestLogContract(createStore: CreateStore): void {
  it('adds up what is recorded of one row within a minute, and keeps its earliest time', async () => {
    const { store } = await opened(createStore);
    const row = request({ id: 'a', at: minute + 5_000, count: 2 });
    await store.recordRequests([row]);
    await store.recordRequests([
      { ...row, at: minute + 3_000, count: 3 },
      { ...row, at: minute + minuteMs, count: 1 },
    ]);
    await store.recordRequests([{ ...row, at: minute + 9_000, count: 1 }]);
    expect(await listed(store)).toEqual([
      { ...row, at: minute + minuteMs, count: 1 },
      { ...row, at: minute + 3_000, count: 6 },
    ]);
  });

  it('keeps all that a row says, and what is not known as null', async () => {
    const { store, reopen } = await opened(createStore);
    const whole = request({ id: 'b', at: minute + 1, reason: 'expired', decision: 'deny', status: 401 });
    const bare: StoredRequest = {
      ...request({ id: 'a', at: minute, key: null, owner: null }),
      ...{ method: null, host: null, path: null, address: null, environment: null },
    };
    await store.recordRequests([whole, bare]);
    expect(await listed(await reopen())).toEqual([whole, bare]);
  });

  it('lists requests by key, owner, decision, reason and time, the newest first', async () => {
    const { store } = await opened(createStore);
    const [one, other] = [nextId(), nextId()];
    const rows = [
      request({ id: 'a', at: minute, key: one, owner: 'acme' }),
      request({ id: 'b', at: minute + 1, key: one, owner: 'acme', ...denied('expired') }),
      request({ id: 'c', at: minute + 2, key: other, owner: 'zeta', ...denied('rate_limited') }),
      request({ id: 'd', at: minute + 3, key: null, owner: null, ...denied('missing') }),
      request({
        id: 'e',
        at: minute + 4,
        key: other,
        owner: 'zeta',
        ...denied('expired'),
        decision: 'observed',
      }),
    ];
    await store.recordRequests(rows);
    const ids = async (filter: RequestFilter) => (await listed(store, filter)).map(({ id }) => id).join('');
    expect(await ids({})).toBe('edcba');
    expect(await ids({ key: one })).toBe('ba');
    expect(await ids({ owner: 'zeta' })).toBe('ec');
    expect(await ids({ key: one, owner: 'zeta' })).toBe('');
    expect(await ids({ decision: 'allow' })).toBe('a');
    expect(await ids({ decision: 'deny' })).toBe('dcb');
    expect(await ids({ decision: 'observed' })).toBe('e');
    expect(await ids({ reason: 'expired' })).toBe('eb');
    expect(await ids({ reason: 'expired', decision: 'deny', owner: 'acme' })).toBe('b');
    expect(await ids({ since: minute + 1, until: minute + 3 })).toBe('cb');
    expect(await ids({ key: other, since: minute + 3 })).toBe('e');
  });

  it('goes from page to page through rows of one time, each once', async () => {
    const { store } = await opened(createStore);
    const rows = Array.from({ length: 7 }, (_, at) => request({ id: `row${at}`, at: minute + (at % 2) }));
    await store.recordRequests(rows);
    const found: string[] = [];
    let after: StoredRequest | null = null;
    for (;;) {
      const page: StoredRequest[] = await store.listRequests({}, { after, size: 2 });
      found.push(...page.map(({ id }) => id));
      after = page.at(-1) ?? null;
      if (after === null) break;
    }
    expect(found).toEqual(['row5', 'row3', 'row1', 'row6', 'row4', 'row2', 'row0']);
  });

  it('loses none of what many record of a row at once', async () => {
    const { store } = await opened(createStore);
    await store.recordRequests([]);
    await Promise.all(
      Array.from({ length: 30 }, () => store.recordRequests([request({ id: 'a', at: minute })])),
    );
    expect((await listed(store)).map(({ count }) => count)).toEqual([30]);
  });

  it('rejects calls about requests while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    await expect(store.recordRequests([request({})])).rejects.toThrow(StoreUnavailable);
    await expect(listed(store)).rejects.toThrow(StoreUnavailable);
  });
}

/** On a store that keeps 100 rows: which of them go, and what it says of it. */
export async function expectOldestRemoved(
  store: Pick<Store, 'recordRequests' | 'listRequests'>,
  removed: readonly number[],
): Promise<void> {
  const ofMinute = (at: number) =>
    Array.from({ length: 60 }, (_, row) => request({ id: `row${row}`, at: minute + at * minuteMs }));
  // Not in the order of their time, as replicas write them.
  for (const at of [1, 0, 3, 2]) await store.recordRequests(ofMinute(at));
  const left = await store.listRequests({}, { after: null, size: 1_000 });
  expect(left).toHaveLength(100);
  const minutes = left.map(({ at }) => (at - minute) / minuteMs);
  expect([3, 2, 1].map((at) => minutes.filter((one) => one === at).length)).toEqual([60, 40, 0]);
  // One more of a row that is there takes no room, and is counted on.
  await store.recordRequests([request({ id: 'row0', at: minute + 3 * minuteMs })]);
  const [counted] = (await store.listRequests({}, { after: null, size: 1_000 })).filter(
    (row) => row.count > 1,
  );
  expect(counted).toMatchObject({ id: 'row0', count: 2 });
  // Said once a minute.
  expect(removed).toEqual([20]);
}

function listed(store: Store, filter: RequestFilter = {}): Promise<StoredRequest[]> {
  return store.listRequests(filter, { after: null, size: 100 });
}

function denied(reason: NonNullable<StoredRequest['reason']>) {
  return { decision: 'deny', reason, status: 401 } as const;
}

/** An allow, apart from what is given. */
export function request(given: Partial<StoredRequest>): StoredRequest {
  return {
    ...{ id: 'row', at: minute, count: 1, key: nextId(), owner: 'acme' },
    ...{ method: 'GET', host: 'api.example.com', path: '/v1/assets', address: '192.0.2.1' },
    ...{ decision: 'allow', reason: null, status: 200, scheme: 'postern', environment: 'live' },
    ...given,
  } as StoredRequest;
}
