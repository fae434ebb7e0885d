import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { judge } from '../../torture/checks/checker.ts';
import type { ChangeRecord, CheckRecord } from '../../torture/checks/history.ts';
import { createWitness } from '../../torture/checks/witness.ts';
import { type Fleet, type FleetOptions, startFleet } from '../../torture/fleet.ts';
import { quietOldPrimary } from '../../torture/quiet-old-primary.ts';
import {
  cutOffReplica,
  instantOf,
  killedPrimary,
  oldPrimary,
  recovery,
  returnedReplica,
  type Scenario,
  stalledStream,
  stoppedReplica,
  twoPrimaries,
} from '../../torture/scenarios.ts';

/** Another may be named as well: one that was cut off before, or that a busy machine has kept waiting. */
const named = { outcome: 'done', unconfirmed: expect.arrayContaining(['replica-a']) };
const doneWithout = { outcome: 'done', unconfirmed: expect.not.arrayContaining(['replica-a']) };
const stalenessMaxMs = 6_000;

describe('a fleet of three, on a replica set that waits long before it elects', () => {
  // So long that an old primary takes itself for the primary until the end of a test.
  const { run } = useFleet({ stalenessMaxMs, electionTimeoutMs: 60_000 });

  it('allows nothing by what an old primary says to which nothing was written since it was cut off', async () => {
    const { checks, stillPrimary, after } = await run((...given) => quietOldPrimary(...given, 2));
    expect(stillPrimary).toBe(true);
    expect(verdicts(checks)).toEqual(['unavailable']);
    expect(after).toBe('revoked');
  });

  it('lets no key in that was revoked while a replica was stopped, and names the replica as long as it may', async () => {
    const { first, second, answers, after } = await run(stoppedReplica);
    expect(first).toMatchObject(named);
    expectInEffectAfterLease(first);
    // Stopped for longer than its lease: nobody need wait for it any more.
    expect(second).toMatchObject(doneWithout);
    expect(answers.map(({ verdict }) => verdict)).not.toContain('allowed');
    expect(after).toBe('revoked');
  });

  it('answers for known keys on a replica that lost MongoDB until its lease has run out', async () => {
    const { cutAt, revocation, ofKept, checks, after } = await run(cutOffReplica);
    expect(revocation).toMatchObject(named);
    expectInEffectAfterLease(revocation);
    const leased = ofKept.filter(({ end }) => end < cutAt + stalenessMaxMs / 2);
    expect(verdicts(leased)).toEqual(['allowed']);
    const lapsed = checks.filter(({ begin }) => begin > cutAt + stalenessMaxMs);
    expect(verdicts(lapsed)).toEqual(['unavailable']);
    expect(after).toBe('revoked');
  });

  it('waits for no replica that one process has watched out, on any process, and waits for it again when it is back', async () => {
    const { countedOut, onThird, revocation } = await run(returnedReplica);
    expect(instantOf(countedOut)).toBe(countedOut.end);
    // Had it waited, it would name it: it has not watched it for as long as a lease.
    expect(onThird).toMatchObject(doneWithout);
    expect(revocation).toMatchObject(named);
  });

  it('lets nothing in by what an old primary says, and denies no good key by it', async () => {
    const { effectiveAt, stillPrimary, checks, made, isDisabled, after } = await run(oldPrimary);
    expect(stillPrimary).toBe(true);
    expect(isDisabled).toBe('unknown');
    expect(verdicts(checks.filter(({ begin }) => begin > effectiveAt))).toEqual(['unavailable']);
    expect(verdicts(checks.filter(({ key }) => made.includes(key)))).toEqual(['unavailable']);
    expect(after).toBe('revoked');
  });

  it('goes on while one primary is cut off from the others and a new one is elected', async () => {
    const { revocation } = await run(twoPrimaries);
    expect(revocation.outcome).toBe('done');
  });

  it('reads what it hears nothing of, once it may not answer from memory', async () => {
    const { revocation, again, checks } = await run(stalledStream);
    expect(revocation).toMatchObject(named);
    expectInEffectAfterLease(revocation);
    // It names itself while it has a lease; on a busy machine that may have run out already.
    expect(again.outcome).toBe('done');
    const inEffect = Math.min(instantOf(revocation), instantOf(again));
    const late = checks.filter(({ begin, key }) => begin > inEffect && key === revocation.subject);
    expect(verdicts(late)).not.toContain('allowed');
    expect(verdicts(late)).toContain('denied');
  });

  it('reads each key about once when it finds MongoDB again, however many wait for it', async () => {
    const { keys, callers, reads } = await run(recovery);
    expect(callers).toBe(20 * keys);
    // One that was under way and failed, one for those who had joined it; on a busy machine more fail, and are made
    // again. Were they not shared, each caller would make one.
    expect(reads).toBeLessThan(callers / 2);
  });
});

describe('a fleet of three whose lease outlasts an election', () => {
  const longStalenessMs = 15_000;
  const { run } = useFleet({ stalenessMaxMs: longStalenessMs, electionTimeoutMs: 2_000 });

  it('answers for every known key while the primary is killed and another elected', async () => {
    const { checks, killedAt, ofKnown } = await run(killedPrimary);
    // On a busy machine an election may outlast the lease after all.
    const leased = ofKnown.filter(({ end }) => end < killedAt + longStalenessMs / 2);
    expect(verdicts(leased)).toEqual(['allowed']);
    expect(['allowed', 'unavailable']).toEqual(expect.arrayContaining(verdicts(checks)));
  });
});

/** A fleet for all tests of a block; each history is judged by the checker too. */
function useFleet(options: FleetOptions) {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet(options);
  });
  afterEach(() => fleet?.network.healAll());
  afterAll(() => fleet?.stop());
  return {
    async run<Facts>(scenario: Scenario<Facts>): Promise<Facts> {
      const witness = createWitness({ seed: 0, stalenessMaxMs: options.stalenessMaxMs });
      try {
        const facts = await scenario(fleet, witness);
        expect(judge(witness.records)).toEqual([]);
        return facts;
      } finally {
        witness.close();
      }
    },
  };
}

function verdicts(checks: readonly CheckRecord[]): string[] {
  return [...new Set(checks.map(({ verdict }) => verdict))].toSorted();
}

/** That `effective_at` is `staleness_max` after the commit, which was made between question and answer. */
function expectInEffectAfterLease(change: ChangeRecord): void {
  const effectiveAt = instantOf(change);
  expect(effectiveAt).toBeGreaterThanOrEqual(change.begin + stalenessMaxMs - 2);
  expect(effectiveAt).toBeLessThanOrEqual(change.end + stalenessMaxMs + 2);
}
