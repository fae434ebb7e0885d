/** Cores of mongod that a fleet takes, part by part, from what each part costs and how often it is done. */

import { renewalsPerLease } from '../../src/mongo/feed/feed.ts';
import { relayedFromDefault } from '../../src/mongo/feed/tick.ts';
import { upkeepLimits } from '../../src/mongo/usage/open/run-upkeep.ts';
import { table } from '../report/markdown.ts';
import { followersWoken, leasesOfCall, type PartCosts } from './parts.ts';
import { type Owners, useWrites } from './use.ts';
import { keysUsed, type Leases, type Workload } from './workload.ts';

export interface FleetRates {
  readonly workload: Workload;
  readonly hasLimits: boolean;
  readonly owners: Owners;
  /** By one replica of a few, each second, as the real limiter asks. */
  readonly leases: Leases;
  readonly batches: number;
  readonly tallies: number;
  readonly stalenessMaxMs: number;
  readonly narrowings: number;
}

export interface CoreCosts extends PartCosts {
  /** A write by majority, one by one. */
  readonly write: number;
  /** One entry of the oplog for one stream, and one of a last use. */
  readonly look: number;
  readonly lookAtLastUse: number;
}

const relays = 2;
const registeredEverySeconds = 16.5;
/** A settlement looks so often at all who have not answered; its other looks end at the first of them. */
const pollsOfSettlement = 3;
/** Where there is no news, by one of them for both; and one for what was changed with the mark after it, as counted in a fleet of 30. */
const idlePages = 1 / 1.5;
const pagesOfNarrowing = 1;

/** In the order of the table. */
export function coresOf(
  replicas: number,
  rates: FleetRates,
  cost: CoreCosts,
): Readonly<Record<string, number>> {
  const { workload, hasLimits, owners, narrowings, stalenessMaxMs } = rates;
  const { checksPerSecond, windowMs } = workload;
  const questions = (replicas * renewalsPerLease * 1_000) / stalenessMaxMs;
  const acknowledgements = replicas * narrowings;
  // In a small fleet each replica has a stream of its own.
  const isRelayed = replicas >= relayedFromDefault;
  const streams = isRelayed ? relays : replicas;
  const followers = isRelayed ? replicas - relays : 0;
  const pages = isRelayed ? idlePages + pagesOfNarrowing * narrowings : 0;
  const written = replicas / registeredEverySeconds + narrowings * 2 + pages;
  const windowSeconds = windowMs / 1_000;
  const { asked, begun, refused } = rates.leases;
  const leases = hasLimits ? replicas * asked : 0;
  const windows = hasLimits
    ? keysUsed(workload, replicas * checksPerSecond * windowSeconds) / windowSeconds
    : 0;
  const use = useWrites(replicas, workload, rates.tallies, owners);
  const { folded, merged, read, documents, settled, touches, newDays, sums, sumsOfAll, ofOwners } = use;
  const pastDocuments = ofOwners.past / upkeepLimits.pastBucketRows;
  const batches = replicas * rates.batches;
  const ofKeys = batches * 2 + documents * 2 + settled + newDays + sums;
  const ofUse = ofKeys + ofOwners.documents * 2 + pastDocuments + sumsOfAll;
  const entries = acknowledgements + written + leases + windows + ofUse;
  const cores = (count: number, us: number) => (count * us) / 1e6;
  const parts = {
    'times asked of a majority': cores(questions, cost.question),
    'followers woken by pages': cores(followers * pages, cost.pageWake),
    'registrations, marks and pages written': cores(written, cost.write),
    'acknowledgements, and looks for them':
      cores(acknowledgements, cost.acknowledgement) +
      cores(narrowings * pollsOfSettlement, (cost.poll * replicas) / 1_000),
    'streams, of the relays or of all':
      cores(streams * entries, cost.look) + cores(streams * touches, cost.lookAtLastUse),
    'batches of use': cores(batches, owners === 'each' ? cost.batchOfOwners : cost.batch),
    'use of open hours, added and merged':
      cores(documents, cost.openDocument) +
      cores(folded + merged, cost.openRow) +
      cores(read, cost.mergedRow),
    'rows of hours that are over': cores(settled, cost.settled) + cores(settled, cost.closedRow),
    'last uses of keys': cores(touches, cost.touch),
    'days and months of keys': cores(newDays, cost.newSum) + cores(sums, cost.sum),
    'use of owners in open hours, added and merged':
      cores(owners === 'one' ? ofOwners.documents : 0, cost.openDocument) +
      cores(ofOwners.folded + ofOwners.merged, cost.ownerRow) +
      cores(ofOwners.read, cost.ownerMergedRow),
    'hours, days and months of owners that are over':
      cores(ofOwners.past, cost.ownerPastRow) + cores(ofOwners.pastRead, cost.ownerMergedRow),
    'sums of all keys': cores(sumsOfAll, cost.sum),
    'leases of limits': hasLimits
      ? cores(replicas * (asked - begun - refused), cost.lease) +
        cores(replicas * begun, cost.leaseBegun) +
        cores(replicas * refused, cost.leaseRefused)
      : 0,
    'windows of limits that end': cores(windows, cost.windowEnd),
  };
  const fleet = Object.values(parts)
    .slice(0, 4)
    .reduce((sum, part) => sum + part, 0);
  const all = Object.values(parts).reduce((sum, part) => sum + part, 0);
  return { ...parts, '**the fleet itself (the first four)**': fleet, '**all**': all };
}

export function coresTable(fleets: readonly number[], all: readonly FleetRates[], cost: CoreCosts): string {
  const columns = all.flatMap((rates) => fleets.map((replicas) => coresOf(replicas, rates, cost)));
  const head = all.flatMap(({ workload, hasLimits, owners }) =>
    fleets.map(
      (replicas) =>
        `${replicas.toLocaleString('en')}: ${workload.keys / 1e6} M keys${hasLimits ? ', limits' : ''}${owners === 'each' ? ', an owner each' : ''}`,
    ),
  );
  const text = (value: number) => (value < 10 ? value.toFixed(2) : value.toFixed(0));
  const names = Object.keys(columns[0] ?? {});
  return table(
    ['cores of mongod', ...head],
    names.map((name) => [name, ...columns.map((column) => text(column[name] ?? 0))]),
  );
}

export function costsTable(cost: CoreCosts): string {
  const names: Readonly<Record<keyof CoreCosts, string>> = {
    write: 'a write by majority, 200 a second',
    question: 'a time asked of a majority, 300 a second',
    pageWake: `a follower that is woken by a page, of ${followersWoken}`,
    acknowledgement: 'an acknowledgement',
    poll: 'a look at who of 1,000 has not answered',
    lease: `a lease, ${leasesOfCall} in a call`,
    leaseOfMany: 'a lease, 200 in a call',
    leaseBegun: `a lease that begins a window, ${leasesOfCall} in a call`,
    leaseRefused: 'the same where somebody else has begun it',
    windowEnd: 'a window that is removed',
    batch: 'a batch of the use of 3,600 keys: written, read, removed',
    batchOfOwners: 'the same, of as many owners',
    openDocument: 'a document of an open hour: written, removed',
    openRow: 'each row in it',
    mergedRow: 'a row that is read, to be merged or settled',
    settled: "a key's row of an hour that is over",
    closedRow: 'such a row that is read, to be added to a day',
    touch: 'the last use of a key, on its own document',
    newSum: 'a day of a key that is new',
    sum: 'a day or a month of a key that is added to',
    ownerRow: "an owner's row of an open hour, with its part of a document",
    ownerMergedRow: 'such a row that is read',
    ownerPastRow: "an owner's row of an hour, a day or a month that is over, with its part of a document",
    look: 'an entry of the oplog, for one stream',
    lookAtLastUse: 'the entry of a last use, for one stream',
  };
  return table(
    ['', 'µs of mongod'],
    Object.entries(names).map(([part, name]) => [
      name,
      cost[part as keyof CoreCosts].toFixed(cost[part as keyof CoreCosts] < 10 ? 1 : 0),
    ]),
  );
}
