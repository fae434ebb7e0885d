import { describe, expect, it } from 'vitest';
import { type Limit, limitsOfShort, noLimits } from '../../src/keys/limit.ts';
import type { OwnerRecord } from '../../src/keys/owner.ts';
import { createPlans } from '../../src/limits/plan.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { keyRecord, ownerRecord } from '../records.ts';

const presets = readPresets();
const converra = presets.get('converra') as Scheme;
const mira = presets.get('mira') as Scheme;
const perMinute = (limit: number) => limitsOfShort({ limit, windowMs: 60_000 });
const slow = limitsOfShort({ limit: 50, windowMs: 3_600_000 });

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
    const limitOf = (plan: string | null, ownerPlan: string | null, rateLimits: readonly Limit[] = []) =>
      plans.limitsOf(keyRecord({ plan, rateLimits }), ownerOn(ownerPlan), converra);
    expect(limitOf('pro', 'free', perMinute(7))).toEqual(perMinute(7));
    expect(limitOf('enterprise', 'free', perMinute(7))).toEqual(perMinute(7));
    expect(limitOf('free', 'pro')).toEqual(perMinute(60));
    expect(limitOf(null, 'pro')).toEqual(perMinute(300));
    expect(limitOf(null, null)).toEqual(perMinute(60));
  });

  it('that are unlimited set no limit, the default plan neither', () => {
    expect(plans.limitsOf(keyRecord({ plan: 'enterprise' }), ownerOn('free'), converra)).toEqual([]);
  });

  it('are the same in any case', () => {
    expect(plans.limitsOf(keyRecord({ plan: 'PRO' }), null, converra)).toEqual(perMinute(300));
    expect(plans.limitsOf(keyRecord(), ownerOn('Pro'), converra)).toEqual(perMinute(300));
  });

  it('that nobody has written down limit as the default does, and not at all where there is none', () => {
    expect(plans.limitsOf(keyRecord({ plan: 'gone' }), null, converra)).toEqual(perMinute(60));
    expect(plans.limitsOf(keyRecord(), ownerOn('fere'), converra)).toEqual(perMinute(60));
    expect(plans.limitsOf(keyRecord(), ownerOn('fere'), mira)).toEqual([]);
  });

  it('that nobody knows leave what holds without them, and nobody unlimited by a name', () => {
    const own = createPlans(
      new Map([
        ['gold', perMinute(9)],
        ['slow', slow],
        ['all', noLimits],
      ]),
    );
    expect(own.limitsOf(keyRecord({ plan: 'porpoise' }), ownerOn('gold'), mira)).toEqual(perMinute(9));
    expect(own.limitsOf(keyRecord({ plan: 'porpoise' }), ownerOn('all'), mira)).toEqual([]);
    expect(own.limitsOf(keyRecord({ plan: 'porpoise' }), null, mira)).toEqual(slow);
    expect(own.limitsOf(keyRecord(), ownerOn('porpoise'), mira)).toEqual(slow);
    expect(own.limitsOf(keyRecord(), ownerOn(null), mira)).toEqual([]);
  });

  it("of the settings come before a scheme's of the same name, and beside the others", () => {
    const own = createPlans(
      new Map([
        ['Free', perMinute(5)],
        ['pro', noLimits],
        ['gold', perMinute(9)],
      ]),
    );
    const limitOf = (plan: string | null, scheme = converra) =>
      own.limitsOf(keyRecord({ plan }), null, scheme);
    expect(limitOf(null)).toEqual(perMinute(5));
    expect(limitOf('pro')).toEqual([]);
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
  return ownerRecord({ plan });
}
