/** What fleets of real feeds came to, and what follows from it for larger ones. */

import type { Random } from '../common/random.ts';
import { table } from '../report/markdown.ts';
import { type Fit, fitFleet, fittedAt } from './fit.ts';
import { type FleetCost, usedKeys } from './run.ts';
import { admittedPart } from './workload.ts';

/** By the checkout that was run. */
export type Fleets = ReadonlyMap<string, readonly FleetCost[]>;

export function fleetsTable(fleets: Fleets, checkout: string): string {
  const idle = ['real feeds', 'cores, idle', 'writes of one in 10 s', 'oplog entries a second'];
  const use = ['cores, use', 'oplog entries a second, use'];
  const narrowing = [
    'cores, 1 revocation a second',
    'settled p50',
    'the slowest',
    'with somebody unconfirmed',
  ];
  const own = ['ms a second of one replica, idle', '1 revocation a second', 'connections of one'];
  const rows = [...fleets].flatMap(([each, costs]) =>
    costs.map((cost) => [
      `${cost.replicas.toLocaleString('en')}${each === checkout ? '' : ', before'}`,
      cost.idleCores.toFixed(3),
      cost.idleWrites.toFixed(1),
      cost.idleEntries.toFixed(1),
      cost.usingCores.toFixed(3),
      cost.usingEntries.toFixed(1),
      cost.narrowingCores.toFixed(3),
      `${cost.settledP50Ms.toFixed(0)} ms`,
      `${cost.settledP99Ms.toFixed(0)} ms`,
      cost.unconfirmed.toString(),
      cost.idleOwnMs.toFixed(2),
      cost.narrowingOwnMs.toFixed(2),
      (cost.connections / cost.replicas).toFixed(1),
    ]),
  );
  return table([...idle, ...use, ...narrowing, ...own], rows);
}

/** Cores by the number of replicas. */
export function fitsOf(costs: readonly FleetCost[]): Readonly<Record<'idle' | 'using' | 'narrowing', Fit>> {
  const fitted = (cores: (cost: FleetCost) => number) =>
    fitFleet(costs.map((cost) => ({ n: cost.replicas, value: cores(cost) })));
  return {
    idle: fitted(({ idleCores }) => idleCores),
    using: fitted(({ usingCores }) => usingCores),
    narrowing: fitted(({ narrowingCores }) => narrowingCores),
  };
}

/** From what was measured to a thousand, and by how much that may be off. */
export function fitTable(fleets: Fleets, checkout: string): string {
  const names = {
    idle: 'idle',
    using: `use of ${usedKeys} keys at each`,
    narrowing: '1 revocation a second',
  };
  const rows = [...fleets].flatMap(([each, costs]) =>
    Object.entries(fitsOf(costs)).map(([kind, fit]) => [
      `${names[kind as keyof typeof names]}${each === checkout ? '' : ', before'}`,
      (fit.linear * 1_000).toFixed(2),
      (fit.square * 1_000_000).toFixed(2),
      fittedAt(fit, 1_000).toFixed(1),
      `${(fit.error * 100).toFixed(0)} %`,
    ]),
  );
  return table(['cores', 'n / 1,000', 'n² / 1,000²', 'at 1,000', 'the fit is off by up to'], rows);
}

/** How much of a limit is admitted at worst, where replicas hold units and get no more requests. */
export async function limitsTable(random: Random): Promise<string> {
  const rows: string[][] = [];
  for (const limit of [10, 60, 300, 1_000, 10_000]) {
    const runs = await Promise.all(Array.from({ length: 200 }, () => admittedPart(limit, random)));
    const parts = runs.map(({ part }) => part * 100);
    const writes = runs.reduce((sum, run) => sum + run.leases, 0) / runs.length;
    const mean = parts.reduce((sum, part) => sum + part, 0) / parts.length;
    rows.push([
      thousands(limit),
      `${Math.min(...parts).toFixed(1)} %`,
      `${mean.toFixed(1)} %`,
      writes.toFixed(0),
    ]);
  }
  return table(
    ['limit, three replicas, two go quiet', 'admitted at worst', 'on average', 'leases a window'],
    rows,
  );
}

export function thousands(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
}
