import fc from 'fast-check';
import { expect } from 'vitest';
import { listChain } from '../store-contract/setting.ts';
import type { Ask, Outcome, Wire } from './ask.ts';
import type { World } from './world.ts';

/** A call by one who may do everything, which names its key by a number. */
export interface Act {
  readonly operation: Ask['operation'];
  readonly key: number | null;
  readonly input: Readonly<Record<string, unknown>>;
  /** Whether it gives the etag that the key had before all began. */
  readonly hasEtag: boolean;
}

const request = fc.constantFrom('r1', 'r2');
const of = (operation: Act['operation'], input: fc.Arbitrary<object>, hasKey = true) =>
  fc.record({
    operation: fc.constant(operation),
    key: hasKey ? fc.nat(1) : fc.constant(null),
    input,
    hasEtag: operation === 'updateKey' ? fc.boolean() : fc.constant(false),
  }) as fc.Arbitrary<Act>;

const nothing = fc.constant({});
const act = fc.oneof(
  of('createKey', fc.record({ name: fc.constantFrom('a', 'b'), request_id: request }), false),
  of('updateKey', fc.record({ name: fc.constantFrom('a', 'b'), labels: fc.constantFrom({}, { a: 'b' }) })),
  of('rotateKey', fc.record({ grace_period: fc.constantFrom('0s', '1h') })),
  of('rotateKey', fc.record({ grace_period: fc.constant('1h'), request_id: request })),
  ...(['revokeKey', 'disableKey', 'enableKey'] as const).map((operation) => of(operation, nothing)),
  of('importKeys', fc.constant({ keys: [{ name: 'Imported', sha256: 'ab'.repeat(32) }] }), false),
  of('putOwner', fc.record({ suspended: fc.boolean() }), false),
);

/** What several do at the same time, and then again. */
export const anyBursts = fc.array(fc.array(act, { minLength: 2, maxLength: 6 }), {
  minLength: 1,
  maxLength: 4,
});

/** Runs each burst at once, each act by another of the wires in turn; expects a history that explains all of it. */
export async function runBursts(world: World, bursts: readonly (readonly Act[])[]): Promise<void> {
  const credentials = { authorization: world.service.adminAuthorization, requestId: null };
  const [first] = world.wires as [Wire, ...Wire[]];
  const keys: Shown[] = [];
  for (const name of ['One', 'Another']) {
    keys.push(shownIn(await first.call({ operation: 'createKey', input: { name } }, credentials)));
  }
  await world.settle();
  const done: Done[] = [];
  for (const burst of bursts) {
    const calls = burst.map(async (one, at) => {
      const wire = world.wires[at % world.wires.length] ?? first;
      const outcome = await wire.call(askOf(one, keys), credentials);
      done.push({ act: one, outcome });
    });
    await Promise.all(calls);
  }
  expectRefusals(done);
  expectOnce(done);
  await expectHistory(world, done);
}

interface Done {
  readonly act: Act;
  readonly outcome: Outcome;
}

/** As much of a key as is looked at. */
interface Shown {
  readonly id: string;
  readonly etag: string;
  readonly key?: string | null;
}

function shownIn(outcome: Outcome): Shown {
  if (!outcome.ok) throw new Error(`was refused: ${outcome.message}`);
  return outcome.value as Shown;
}

function askOf({ operation, key, input, hasEtag }: Act, keys: readonly Shown[]): Ask {
  const found = key === null ? undefined : keys[key];
  const id = operation === 'putOwner' ? 'acme' : found?.id;
  const etag = hasEtag && found !== undefined ? { etag: found.etag } : {};
  return { operation, input: { ...input, ...etag }, ...(id !== undefined && { id }) };
}

/** Whoever comes too late is told so, and of nothing else. */
function expectRefusals(done: readonly Done[]): void {
  for (const { act: one, outcome } of done) {
    if (outcome.ok) continue;
    expect(['ABORTED', 'FAILED_PRECONDITION']).toContain(outcome.code);
    // None of these can be refused for anything but that others keep changing the same thing.
    if (['createKey', 'revokeKey', 'putOwner', 'importKeys'].includes(one.operation))
      expect(outcome.code).toBe('ABORTED');
  }
}

/** A request makes one key and shows one secret; a key is rotated once; a digest is taken in once. */
function expectOnce(done: readonly Done[]): void {
  const made = new Map<string, { ids: Set<string>; secrets: number }>();
  let rotations = new Map<number | null, Set<string>>();
  let imported = 0;
  for (const { act: one, outcome } of done) {
    if (!outcome.ok) continue;
    if (one.operation === 'importKeys') imported += (outcome.value as { imported: number }).imported;
    if (one.operation !== 'createKey' && one.operation !== 'rotateKey') continue;
    const { id, key } = outcome.value as Shown;
    if (one.operation === 'rotateKey')
      rotations = rotations.set(one.key, (rotations.get(one.key) ?? new Set()).add(id));
    const name = `${one.operation} ${one.key} ${one.input.request_id ?? id}`;
    const known = made.get(name) ?? { ids: new Set(), secrets: 0 };
    made.set(name, { ids: known.ids.add(id), secrets: known.secrets + (key === null ? 0 : 1) });
  }
  for (const [name, { ids, secrets }] of made) expect([name, ids.size, secrets]).toEqual([name, 1, 1]);
  for (const [key, ids] of rotations) expect([key, ids.size]).toEqual([key, 1]);
  expect(imported).toBeLessThanOrEqual(1);
}

/** Each change in the journal begins where the one before it ended, and what was answered is in it. */
async function expectHistory({ service }: World, done: readonly Done[]): Promise<void> {
  const states = new Map<string, { readonly last: unknown; readonly etags: Set<unknown> }>();
  const move = (id: string | null, before: unknown, after: unknown) => {
    const known = states.get(id ?? '');
    expect(before).toEqual(known?.last ?? null);
    const etags = (known?.etags ?? new Set()).add(Object(after).etag);
    states.set(id ?? '', { last: after, etags });
  };
  for (const { action, outcome, target, before, after } of await listChain(service.store)) {
    if (outcome !== 'ok' || action === 'ImportKeys') continue;
    if (action === 'RotateKey') {
      const { rotated, made } = after as { rotated: unknown; made: Shown };
      move(target, before, rotated);
      move(made.id, null, made);
    } else move(target, before, after);
  }
  for (const { act: one, outcome } of done) {
    if (!outcome.ok || one.operation === 'importKeys') continue;
    const { id, etag } = outcome.value as Shown;
    expect(states.get(id)?.etags.has(etag)).toBe(true);
  }
  const keys = await service.store.listKeys({ now: service.clock.now }, { before: null, size: 1_000 });
  const named = keys.filter(({ name }) => name !== 'Imported');
  expect(named.map(({ id, version }) => [id, `v${version}`]).toSorted()).toEqual(
    [...states]
      .filter(([id]) => id.startsWith('key_'))
      .map(([id, { last }]) => [id, Object(last).etag])
      .toSorted(),
  );
}
