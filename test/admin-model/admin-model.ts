import fc from 'fast-check';
import { describe, it } from 'vitest';
import { seed } from '../seed.ts';
import { anyStep } from './any-step.ts';
import { anyBursts, runBursts } from './concurrent.ts';
import type { Model } from './model.ts';
import { runSteps } from './run.ts';
import type { KeyWish, Step } from './step.ts';
import { createWorld, type World, type WorldOptions } from './world.ts';

export interface ModelBounds {
  /** How long sequences of steps are tried, all in all. */
  readonly msMax: number;
  readonly stepsMax: number;
  /** Replicas that can share a database. */
  readonly replicas: number;
}

/** For finding fewer steps that fail as well. */
const shrinkMs = 30_000;

/** `POSTERN_TEST_MODEL_MS` runs each property that long, `POSTERN_TEST_SEED` names where it begins. */
const { POSTERN_TEST_MODEL_MS: longMs } = process.env;

const plain = { replicas: 1, hasWires: false, hasOtherWriter: true };

/** KeyAdmin against its model on one kind of store. */
export function describeAdminModel(
  name: string,
  createStores: WorldOptions['createStores'],
  bounds: ModelBounds,
): void {
  const msMax = longMs === undefined ? bounds.msMax : Number(longMs);
  const fleet = bounds.replicas === 1 ? 'one replica' : `${bounds.replicas} replicas`;
  // However slow the machine: a run is as long as its steps, and is not stopped.
  const timeout = msMax + 10 * shrinkMs;

  describe(`KeyAdmin on ${name}`, () => {
    it.each([
      [`by its operations, on ${fleet}`, { ...plain, replicas: bounds.replicas }, 0.3],
      ['by its operations, where no setting is an admin key', { ...plain, hasOtherWriter: false }, 0.2],
      ['by REST and gRPC, which answer alike', { ...plain, hasWires: true }, 0.3],
    ])(
      'does what the model says, and shows nothing of one owner to another, %s',
      { timeout },
      async (_, options, share) => {
        const property = fc.asyncProperty(anySteps(bounds.stepsMax), async (steps) => {
          const world = await createWorld({ createStores, ...options });
          try {
            await runModel(world, options.hasOtherWriter, steps);
          } finally {
            await world.close();
          }
        });
        await explore(property, msMax * share);
      },
    );

    it(`explains what many do at once, on ${fleet}`, { timeout }, async () => {
      const property = fc.asyncProperty(anyBursts, async (bursts) => {
        const world = await createWorld({ createStores, ...plain, replicas: bounds.replicas });
        try {
          await runBursts(world, bursts);
        } finally {
          await world.close();
        }
      });
      await explore(property, msMax * 0.2);
    });
  });
}

/**
 * Tries what fits into the time, once at least; what fails is told with its seed and the least that shows it. None is
 * interrupted: it would go on beside the next one, on the same database.
 */
async function explore<T>(property: fc.IAsyncProperty<T>, ms: number): Promise<void> {
  const end = performance.now() + ms;
  for (let run = 0; run === 0 || performance.now() < end; run++) {
    await fc.assert(property, { seed: seed + run, numRuns: 1, skipAllAfterTimeLimit: shrinkMs });
  }
}

function anySteps(max: number): fc.Arbitrary<Step[]> {
  return fc.noBias(fc.array(anyStep, { maxLength: max, size: 'max' }));
}

/** Runs the steps in a service that has admins of every kind, then looks at all there is. */
async function runModel(world: World, hasOtherWriter: boolean, steps: readonly Step[]): Promise<void> {
  const model: Model = {
    ...{ now: world.service.clock.now, keys: [], owners: new Map(), events: [] },
    ...{ roles: new Map(), requests: new Map() },
    ...{ tokens: [], spares: world.spares, hasOtherWriter, names: 0 },
  };
  await runSteps(world, model, beginning);
  for (const key of model.keys.slice(admins.length)) Object.assign(key, { isMark: true });
  await runSteps(world, model, [...steps, ...ending]);
}

const root = { who: 'root', requestId: null } as const;
const plainWish: KeyWish = {
  ...{ word: 'Admin', scheme: null, environment: null, owner: null, permissions: [], ipAllowlist: [] },
  ...{ expiry: 'none', plan: null, rateLimit: null, labels: {} },
};
const making = (wish: Partial<KeyWish>): Step => ({
  ...{ ...root, kind: 'create', wish: { ...plainWish, ...wish }, request: null },
});

/** Those whom steps call by the first numbers. */
const admins: readonly Partial<KeyWish>[] = [
  { permissions: ['admin:write'] },
  { permissions: ['admin:read'] },
  { permissions: ['admin:write'], owner: 'acme' },
  { permissions: ['admin:read'], owner: 'acme' },
  { permissions: ['admin:write'], owner: 'globex' },
  { permissions: ['read:a'], owner: 'acme' },
  { permissions: ['admin:read'], ipAllowlist: ['10.0.0.0/8'] },
];
const marks = ['acme', 'globex', 'initech'].map((owner) => making({ word: 'Mark', owner }));
const putting = (id: string): Step => ({
  ...{ ...root, kind: 'putOwner', id, plan: 'pro', activeForMs: null, suspended: false },
});
const beginning: readonly Step[] = [...admins.map(making), ...marks, putting('acme'), putting('globex')];

const all = { size: 1_000, token: null };
const ending: readonly Step[] = (['root', 2, 4] as const).flatMap((who): Step[] => [
  { who, requestId: null, kind: 'list', filter: {}, page: all },
  { who, requestId: null, kind: 'listOwners', page: all },
  { who, requestId: null, kind: 'listRoles', page: all },
  { who, requestId: null, kind: 'watch', after: 0, types: [] },
  { who, requestId: null, kind: 'audit', filter: { order: 'oldest' }, page: all },
]);
