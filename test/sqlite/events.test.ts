import { onTestFinished } from 'vitest';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { describeEvents } from '../events/event-cases.ts';
import { describeUnused } from '../events/unused-cases.ts';

const createStore = async () => {
  const store = createSqliteStore({ path: ':memory:', now: Date.now });
  await store.open();
  onTestFinished(() => store.close());
  return store;
};

describeEvents('SQLite', createStore);
describeUnused('SQLite', createStore);
