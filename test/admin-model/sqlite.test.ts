import { createSqliteStore } from '../../src/sqlite/store.ts';
import { describeAdminModel } from './admin-model.ts';

describeAdminModel('SQLite', async (_, now) => [createSqliteStore({ path: ':memory:', now })], {
  ...{ msMax: 9_000, stepsMax: 120, replicas: 1 },
});
