import type { DatabaseSync } from 'node:sqlite';
import type { BadRecord } from '../store/store.ts';
import type { RequestCapOptions } from '../store/usage/request-cap.ts';
import type { Disk } from './disk.ts';
import { createJournalTable, type JournalTable } from './journal/journal.ts';
import { createDutyTable, type DutyTable } from './records/duties.ts';
import { createIdentityKeyTable, type IdentityKeyTable } from './records/identity-keys.ts';
import { createIdlePages, type IdlePages } from './records/keys/idle-pages.ts';
import { createKeyTable, type KeyTable } from './records/keys/keys.ts';
import { createKeyPages, type ReadKeyPage } from './records/keys/memory-pages.ts';
import { createLimitTable, type LimitTable } from './records/limits.ts';
import { createOwnerTable, type OwnerTable } from './records/owners.ts';
import { createPortalSessionTable, type PortalSessionTable } from './records/portal-sessions.ts';
import { createRoleTable, type RoleTable } from './records/roles.ts';
import { createStatements } from './statements.ts';
import { type AddressTable, createAddressTable } from './usage/addresses.ts';
import { createPendingUse, type PendingUse } from './usage/pending.ts';
import { createRequestTable, type RequestTable } from './usage/requests.ts';
import { createUsageSumming, type SumUsage } from './usage/summing.ts';
import { createUsageSumTable, type UsageSumTable } from './usage/sums.ts';
import { createUsageTable, type UsageTable } from './usage/usage.ts';

/** An open database and what is in it. */
export interface Tables {
  readonly database: DatabaseSync;
  readonly disk: Disk;
  readonly keys: KeyTable;
  readonly readKeyPage: ReadKeyPage;
  readonly owners: OwnerTable;
  readonly roles: RoleTable;
  readonly limits: LimitTable;
  readonly usage: UsageTable;
  readonly usageSums: UsageSumTable;
  readonly pending: PendingUse;
  readonly sumUsage: SumUsage;
  readonly requests: RequestTable;
  readonly journal: JournalTable;
  readonly addresses: AddressTable;
  readonly duties: DutyTable;
  readonly idle: IdlePages;
  readonly identityKeys: IdentityKeyTable;
  readonly portalSessions: PortalSessionTable;
}

/** What tables do by themselves. */
export interface TableOptions extends RequestCapOptions {
  readonly now: () => number;
  readonly onBadRecord: (id: string, error: BadRecord) => void;
}

export function createTables(database: DatabaseSync, disk: Disk, options: TableOptions): Tables {
  const { now, onBadRecord } = options;
  const prepare = createStatements(database);
  const usageSums = createUsageSumTable(database);
  const pending = createPendingUse(database, { now, aboutOf: usageSums.aboutOf });
  return {
    ...{ database, disk, usageSums, pending },
    keys: createKeyTable(database, prepare, onBadRecord),
    readKeyPage: createKeyPages(database),
    owners: createOwnerTable(database),
    roles: createRoleTable(database, onBadRecord),
    limits: createLimitTable(database),
    usage: createUsageTable(database, usageSums, pending),
    sumUsage: createUsageSumming(database, usageSums, pending),
    requests: createRequestTable(database, now, options),
    journal: createJournalTable(database, prepare, onBadRecord),
    addresses: createAddressTable(database, disk),
    duties: createDutyTable(database, disk),
    idle: createIdlePages(database, onBadRecord),
    identityKeys: createIdentityKeyTable(database),
    portalSessions: createPortalSessionTable(database),
  };
}
