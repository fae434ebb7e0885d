import { StoreUnavailable } from '../store/store.ts';
import type { UnitStore } from '../store/units.ts';
import { type Advances, advanceOf, createForgotten, longMs, none, writeDownAll } from './advances.ts';
import { createFences } from './fences.ts';

/** How far ahead windows are fenced: of one that is killed while it holds the advances, those of these are lost. */
const aheadMs = 30_000;
/** And where several lease, which so ask seldom. */
const sharedAheadMs = 600_000;
/** Fences are raised this long before they are reached. */
const earlyMs = 10_000;
/** How long one has to be alone before it holds the advances, where others have leased lately. */
const aloneMs = 10_000;

const nowhere = Number.NEGATIVE_INFINITY;

/**
 * Advances where others may lease from the store at any time, as replicas do that come and go: one holds them while it
 * is alone. What is exact relies on nobody's clock, and on nobody's knowledge of who else is there. Whoever leases a window
 * in full has raised the fence `plain` to it before, and then found it beyond the fence `advances`; whoever spends its
 * advance has raised `advances` to it before, and then found it beyond `plain`, and itself still the last of the `holders`.
 * Of two who would do both, the later one finds the other's fence. A window within `advances` that is not one's own is
 * leased but for its advance, until all that was spent so is written down.
 * @param sharers how many lease, as far as is known: decides who holds, and nothing else
 */
export function createFencedAdvances(store: Pick<UnitStore, 'leaseUnits'>, sharers: () => number): Advances {
  const fences = createFences(store);
  /** Windows that begin up to then are leased in full, where none of the others has their advance. */
  let plainThrough = nowhere;
  /** Of those up to then another may have the advance. */
  let lostThrough = nowhere;
  /** Of those after the first and up to the second it is spent here. */
  let ownFrom = nowhere;
  let ownThrough = nowhere;
  /** Which of the holders this is; null while it is none. */
  let holder: number | null = null;
  let aloneSince: number | null = null;
  let moving: Promise<void> | null = null;
  const forgotten = createForgotten();

  const isOwn = (start: number) => start > ownFrom && start <= ownThrough;
  const isKnown = (start: number) => isOwn(start) || start <= Math.max(lostThrough, plainThrough);
  const isLost = (start: number, per: number) =>
    isOwn(start) ? forgotten.has(start, per) : start <= lostThrough;

  return {
    isSole: false,
    isKnown,
    async learn(now) {
      await moving?.catch(() => {});
      if (isKnown(now)) return;
      await move(() => (holder === null ? begin(now) : extend(now, holder)));
      if (!isKnown(now)) await move(() => share(now));
      if (!isKnown(now)) throw new StoreUnavailable('limits could not be fenced yet');
    },
    of({ limit, per }, start) {
      const isShort = typeof per === 'number' && per < longMs;
      if (!isShort || !(isOwn(start) || isLost(start, per))) return none;
      const units = advanceOf(limit);
      return { units, free: isLost(start, per) ? 0 : units };
    },
    forget(window) {
      if (isOwn(window.start)) forgotten.add(window);
    },
    lostOf({ start, end, limit }) {
      const mayBeLost = isLost(start, end - start) || !isKnown(start);
      return mayBeLost && end - start < longMs ? advanceOf(limit) : 0;
    },
    async keep(now) {
      // Nobody has leased here so far.
      if (plainThrough === nowhere) return;
      aloneSince = sharers() > 1 ? null : (aloneSince ?? now);
      const held = aloneSince === null ? null : holder;
      if (held !== null) {
        if (now > ownThrough - earlyMs) await move(() => extend(now, held));
      } else if (
        aloneSince !== null &&
        Math.abs(now - aloneSince) >= aloneMs &&
        plainThrough <= now + aheadMs
      )
        await move(() => hold(now));
      else if (now > plainThrough - earlyMs) await move(() => share(now));
    },
    async settle(spent, now) {
      if (ownThrough === nowhere || now < lostThrough + longMs || !forgotten.areOver(now)) return;
      if (await writeDownAll(store, spent)) await fences.raise('settled', ownThrough);
    },
  };

  /** One at a time. */
  function move(work: () => Promise<void>): Promise<void> {
    moving ??= work().finally(() => {
      moving = null;
    });
    return moving;
  }

  /** Where nobody leases in full any more, and nobody else is known of, the advances are held from the first window on. */
  async function begin(now: number): Promise<void> {
    if (sharers() === 1 && (await fences.look('plain')) < now) return hold(now);
    return share(now);
  }

  /** Leases as others do: in full. */
  async function share(now: number): Promise<void> {
    holder = null;
    const raised = await fences.raise('plain', now + (sharers() > 1 ? sharedAheadMs : aheadMs));
    const { through, isSettled } = await lookAtAdvances();
    lostThrough = isSettled ? nowhere : through;
    plainThrough = raised;
  }

  /** Holds the advances from now on, unless another comes in between. */
  async function hold(now: number): Promise<void> {
    const before = await fences.look('holders');
    if (!(await fences.step('holders', before))) return share(now);
    // Whoever held them before raises this fence once more at most, and finds that it holds them no more.
    const { through, isSettled } = await lookAtAdvances();
    const next = await raiseAdvances(now, through);
    const { last, plain } = await lookAtOthers();
    lostThrough = isSettled ? nowhere : through;
    if (last !== before + 1) return share(now);
    plainThrough = plain;
    ownFrom = Math.max(lostThrough, plain);
    ownThrough = next;
    holder = last;
  }

  async function extend(now: number, held: number): Promise<void> {
    const next = await raiseAdvances(now, ownThrough);
    const { last, plain } = await lookAtOthers();
    if (last !== held || plain > ownThrough) return share(now);
    ownThrough = next;
  }

  async function lookAtAdvances() {
    const [settled, through] = await Promise.all([fences.look('settled'), fences.look('advances')]);
    return { through, isSettled: settled >= through };
  }

  async function lookAtOthers() {
    const [last, plain] = await Promise.all([fences.look('holders'), fences.look('plain')]);
    return { last, plain };
  }

  /** Always by something: what the last holder has settled ends with what it raised itself. */
  async function raiseAdvances(now: number, from: number): Promise<number> {
    const next = Math.max(now + aheadMs, from + 1);
    await fences.raise('advances', next);
    return next;
  }
}
