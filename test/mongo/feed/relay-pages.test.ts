import { type Document, Timestamp } from 'mongodb';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import type { RelayedPage } from '../../../src/mongo/feed/pages.ts';
import { createRelays } from '../../../src/mongo/feed/relays.ts';
import { createSessions } from '../../../src/mongo/sessions.ts';
import { until } from '../../real/until.ts';
import { createSetting } from '../setting.ts';

const at = (seconds: number) => new Timestamp({ t: seconds, i: 1 });
const page = (from: number, upTo: number, ...ids: string[]): RelayedPage => ({
  ...{ from: at(from), upTo: at(upTo), seen: at(upTo) },
  told: ids.map((id) => ['key', id, null] as const),
});

async function createPages(given: { readonly lookAgainMs?: number } = {}) {
  const setting = await createSetting(inject('mongoUri'), { fresh: true });
  const sessions = createSessions(setting.client, { timeoutMs: 30_000 });
  const database = setting.client.db();
  const relays = createRelays(database, sessions, { runId: 'run', stalenessMaxMs: 15_000, ...given });
  onTestFinished(() => relays.close());
  const collection = database.collection<Document>('relay_pages');
  return { relays, database, collection };
}

it('a relay begins where the one before it ended, but not where one ended long ago', async () => {
  const { relays } = await createPages();
  expect(await relays.beginningFor(at(100))).toEqual(at(100));
  await relays.write(page(80, 90));
  expect(await relays.beginningFor(at(100))).toEqual(at(90));
  expect(await relays.beginningFor(at(85))).toEqual(at(85));
  expect(await relays.beginningFor(at(200))).toEqual(at(200));
});

it('a relay knows how far others have handed on, as far as their pages join', async () => {
  const { relays } = await createPages();
  expect(await relays.reachedFrom(at(10))).toEqual(at(10));
  for (const one of [page(5, 12), page(8, 11), page(12, 14), page(15, 20)]) await relays.write(one);
  const reached = await Promise.all([10, 12, 13, 14, 15, 30].map((from) => relays.reachedFrom(at(from))));
  expect(reached).toEqual([14, 14, 14, 14, 20, 30].map(at));
});

describe('pages that are waited for', () => {
  const never = () => new Promise<void>(() => {});
  const soon = () => new Promise<void>((resolve) => setImmediate(resolve));

  it('wake whoever waits, one after another, with all that was told', async () => {
    const { relays } = await createPages();
    await relays.beginningFor(at(9));
    await relays.write(page(8, 10, 'known'));
    for (let from = 10; from < 15; from++) {
      const woken = relays.read(at(from), never);
      const written = page(from, from + 1, `key ${from}`, `$other ${from}`);
      await relays.write(written);
      expect(await woken).toEqual([written]);
    }
  });

  it('are waited for on, when whoever asked has waited long enough', async () => {
    const { relays } = await createPages();
    await relays.beginningFor(at(9));
    await relays.write(page(8, 10));
    expect(await relays.read(at(10), async () => {})).toEqual([]);
    await relays.write(page(10, 11, 'a'));
    expect(await relays.read(at(10), never)).toEqual([page(10, 11, 'a')]);
  });

  it('are waited for where there is none yet, and where their collection was dropped meanwhile', async () => {
    const { relays, collection } = await createPages();
    const untilRead = (from: number) =>
      until('a page has come', async () => (await relays.read(at(from), soon))[0]);
    const first = untilRead(10);
    await relays.beginningFor(at(9));
    await relays.write(page(10, 11, 'a'));
    expect(await first).toEqual(page(10, 11, 'a'));
    const second = untilRead(11);
    await collection.drop();
    // As a relay does before each page.
    await relays.reachedFrom(at(11));
    await relays.write(page(11, 12, 'b'));
    expect(await second).toEqual(page(11, 12, 'b'));
    expect(await collection.isCapped()).toBe(true);
  });

  it('that are gone before they were read are no error: what is left does not join', async () => {
    const { relays, collection } = await createPages();
    await relays.beginningFor(at(9));
    await relays.write(page(8, 10));
    await relays.write(page(10, 11));
    expect(await relays.read(at(10), never)).toEqual([page(10, 11)]);
    const later = Array.from({ length: 1_100 }, (_, place) => page(20 + place, 21 + place));
    await collection.insertMany(later.map(({ upTo, ...rest }) => ({ ...rest, up_to: upTo })));
    const pages = await until('some are read', async () => {
      const found = await relays.read(at(11), async () => {});
      return found.length > 0 && found;
    });
    expect(pages[0]?.from.greaterThan(at(11))).toBe(true);
  });

  it('are looked for in a collection of their own, with relays of their own, where theirs is not capped', async () => {
    const { relays, database } = await createPages();
    await database.createCollection('relay_pages');
    expect(relays.isAwaited()).toBe(true);
    await until('it is seen', async () => {
      await relays.read(at(10), soon);
      return !relays.isAwaited();
    });
    expect(await relays.claim(null)).toBe(0);
    await relays.write(page(10, 11, 'a'));
    expect(await relays.read(at(10), soon)).toEqual([page(10, 11, 'a')]);
    expect(await database.collection('relayed').countDocuments()).toBe(1);
    expect(await relays.reachedFrom(at(10))).toEqual(at(11));
    const duties = await database.collection<{ _id: string }>('duties').find().toArray();
    expect(duties.map(({ _id }) => _id)).toEqual(['relay changes 0']);
  });

  it('are waited for again once they can be', async () => {
    const { relays, database, collection } = await createPages({ lookAgainMs: 1 });
    await database.createCollection('relay_pages');
    expect(await relays.beginningFor(at(10))).toEqual(at(10));
    expect(relays.isAwaited()).toBe(false);
    expect(await relays.claim(null)).toBe(0);
    await collection.drop();
    // It has no place among those whose pages are waited for, and may try to have one.
    expect(await until('it is seen', async () => (await relays.claim(0)) ?? relays.isAwaited())).toBe(true);
    expect(await collection.isCapped()).toBe(true);
    expect(await relays.claim(null)).toBe(0);
  });

  it('are written by no relay for long once their collection is not capped any more', async () => {
    const { relays, database, collection } = await createPages();
    await relays.beginningFor(at(9));
    expect(await relays.claim(null)).toBe(0);
    await relays.write(page(8, 10));
    expect(await relays.claim(0)).toBe(0);
    await collection.drop();
    await database.createCollection('relay_pages');
    expect(await relays.claim(0)).toBe(null);
    expect(relays.isAwaited()).toBe(false);
  });
});
