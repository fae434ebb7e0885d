import { describe, expect, it } from 'vitest';
import type { RateLimit } from '../../src/keys/key.ts';
import type { OwnerRecord } from '../../src/keys/owner.ts';
import { createPlans } from '../../src/limits/plan.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { keyRecord } from '../records.ts';

const presets = readPresets();
const converra = presets.get('converra') as Scheme;
const mira = presets.get('mira') as Scheme;
const perMinute = (limit: number): RateLimit => ({ limit, windowMs: 60_000 });

describe('plans', () => {
  const plans = createPlans(new Map());

  it("are a key's own, else its owner's, else its scheme's default", () => {
    const planOf = (plan: string | null, ownerPlan: string | null, scheme = converra) =>
      plans.planOf(keyRecord({ plan }), ownerOn(ownerPlan), scheme);
    expect(planOf('enterprise', 'pro')).toBe('enterprise');
    expect(planOf(null, 'pro')).toBe('pro');
    expect(planOf(null, null)).toBe('free');
    expect(planOf(null, null, mira)).toBeNull();
    expect(plans.planOf(keyRecord(), null, converra)).toBe('free');
  });

  it("limit a key by the first of its own limit, its plan's, its owner's plan's and the default's", () => {
    const limitOf = (plan: string | null, ownerPlan: string | null, rateLimit: RateLimit | null = null) =>
      plans.limitOf(keyRecord({ plan, rateLimit }), ownerOn(ownerPlan), converra);
    expect(limitOf('pro', 'free', perMinute(7))).toEqual(perMinute(7));
    expect(limitOf('enterprise', 'free', perMinute(7))).toEqual(perMinute(7));
    expect(limitOf('free', 'pro')).toEqual(perMinute(60));
    expect(limitOf(null, 'pro')).toEqual(perMinute(300));
    expect(limitOf(null, null)).toEqual(perMinute(60));
  });

  it('that are unlimited set no limit, the default plan neither', () => {
    expect(plans.limitOf(keyRecord({ plan: 'enterprise' }), ownerOn('free'), converra)).toBeNull();
  });

  it('are the same in any case', () => {
    expect(plans.limitOf(keyRecord({ plan: 'PRO' }), null, converra)).toEqual(perMinute(300));
    expect(plans.limitOf(keyRecord(), ownerOn('Pro'), converra)).toEqual(perMinute(300));
  });

  it('that nobody has written down limit as the default does, and not at all where there is none', () => {
    expect(plans.limitOf(keyRecord({ plan: 'gone' }), null, converra)).toEqual(perMinute(60));
    expect(plans.limitOf(keyRecord(), ownerOn('fere'), converra)).toEqual(perMinute(60));
    expect(plans.limitOf(keyRecord(), ownerOn('fere'), mira)).toBeNull();
  });

  it('that nobody knows leave what holds without them, and nobody unlimited by a name', () => {
    const own = createPlans(
      new Map([
        ['gold', perMinute(9)],
        ['slow', { limit: 50, windowMs: 3_600_000 }],
        ['all', null],
      ]),
    );
    expect(own.limitOf(keyRecord({ plan: 'porpoise' }), ownerOn('gold'), mira)).toEqual(perMinute(9));
    expect(own.limitOf(keyRecord({ plan: 'porpoise' }), ownerOn('all'), mira)).toBeNull();
    expect(own.limitOf(keyRecord({ plan: 'porpoise' }), null, mira)).toEqual({
      limit: 50,
      windowMs: 3_600_000,
    });
    expect(own.limitOf(keyRecord(), ownerOn('porpoise'), mira)).toEqual({ limit: 50, windowMs: 3_600_000 });
    expect(own.limitOf(keyRecord(), ownerOn(null), mira)).toBeNull();
  });

  it("of the settings come before a scheme's of the same name, and beside the others", () => {
    const own = createPlans(
      new Map([
        ['Free', perMinute(5)],
        ['pro', null],
        ['gold', perMinute(9)],
      ]),
    );
    const limitOf = (plan: string | null, scheme = converra) =>
      own.limitOf(keyRecord({ plan }), null, scheme);
    expect(limitOf(null)).toEqual(perMinute(5));
    expect(limitOf('pro')).toBeNull();
    expect(limitOf('gold')).toEqual(perMinute(9));
    expect(limitOf('GOLD', mira)).toEqual(perMinute(9));
    expect([own.known(converra), own.known(mira)]).toEqual([
      ['free', 'pro', 'enterprise', 'gold'],
      ['free', 'pro', 'gold'],
    ]);
    expect(plans.known(mira)).toEqual([]);
  });
});

function ownerOn(plan: string | null): OwnerRecord {
  return { id: 'acme', plan, activeUntil: null, suspended: false, createdAt: 0, updatedAt: 0, version: 1 };
}
