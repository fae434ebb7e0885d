import type { KeyId } from '../../src/keys/key.ts';
import { until } from '../real/until.ts';
import { type Ask, type Credentials, callerAddress, type Outcome, type Wire } from './ask.ts';
import { differences } from './learned.ts';
import {
  holderOf,
  type Identity,
  identify,
  isVisible,
  type Model,
  type ModelEvent,
  Refusal,
  requireRight,
} from './model.ts';
import { markPlan } from './plans/change-plans.ts';
import type { Plan, Prediction } from './plans/plan.ts';
import { planOf } from './plans/plans.ts';
import { checkSecrecy } from './secrecy.ts';
import type { Step, StepOf, Who } from './step.ts';
import type { World } from './world.ts';

const minuteMs = 60_000;

/** Takes the steps one after another; throws at the first of which something else becomes than the model says. */
export async function runSteps(world: World, model: Model, steps: readonly Step[]): Promise<void> {
  for (const [index, step] of steps.entries()) {
    // No two things happen at once: what is newer is then sure.
    model.now += 1;
    world.setTime(model.now);
    try {
      await take(world, model, step, index);
    } catch (error) {
      const wrong = error instanceof Error ? error.message : String(error);
      throw new Error(`step ${index}, ${JSON.stringify(step)}: ${wrong}`, { cause: error });
    }
  }
}

async function take(world: World, model: Model, step: Step, index: number): Promise<void> {
  if (step.kind === 'wait') {
    model.now = step.ms === 'end' ? nextEnd(model) - 1 : model.now + step.ms;
    return world.setTime(model.now);
  }
  if (step.kind === 'use') return use(world, model, step);
  const owner = identify(model, step.who).owner;
  if (step.kind === 'watch') await mark(world, model, owner);
  const plan = planOf(model, step, owner);
  await perform(world, model, { plan, who: step.who, requestId: step.requestId, turn: index });
  // An import does not tell the ids.
  if (step.kind === 'import') await look(world, model);
}

/** Of a key or an owner; now and a millisecond where nothing will end. */
function nextEnd({ now, keys, owners }: Model): number {
  const ends = [
    ...keys.map(({ expiresAt }) => expiresAt),
    ...[...owners.values()].map((one) => one.activeUntil),
  ];
  const [next] = ends
    .filter((end) => end !== null && end > now)
    .toSorted((one, other) => Number(one) - Number(other));
  return next ?? now + 1;
}

async function look(world: World, model: Model): Promise<void> {
  const step: Step = {
    ...{ who: 'root', requestId: null, kind: 'list', filter: {} },
    page: { size: 1_000, token: null },
  };
  await perform(world, model, { plan: planOf(model, step, null), who: 'root', requestId: null, turn: 0 });
}

/** So that a watch has an end. */
async function mark(world: World, model: Model, owner: string | null): Promise<void> {
  await perform(world, model, { plan: markPlan(model, owner), who: 'root', requestId: null, turn: 0 });
  model.now += 1;
  world.setTime(model.now);
}

interface Performance {
  readonly plan: Plan;
  readonly who: Who;
  readonly requestId: string | null;
  /** Says which wire a change is made by. */
  readonly turn: number;
}

async function perform(world: World, model: Model, given: Performance): Promise<void> {
  const { plan, who, requestId, turn } = given;
  const identity = identify(model, who);
  const credentials = { authorization: authorizationOf(world, model, who), requestId };
  const expected = expectationOf(plan, identity);
  const isRepeatable =
    expected instanceof Refusal || (plan.needs === 'read' && plan.ask.operation !== 'watchKeys');
  const wires = isRepeatable ? world.wires : [world.wires[turn % world.wires.length] as Wire];
  const outcomes: Outcome[] = [];
  for (const wire of wires) {
    const outcome = await wire.call(plan.ask, credentials);
    outcomes.push(outcome);
    const wrong = judge(expected, outcome);
    if (wrong.length > 0) fail(wire, plan.ask, wrong, outcome);
    checkSecrecy(model, identity, outcome);
    // What takes nothing away may be late on another replica.
    if (outcome.ok && outcome.settled === null && plan.needs === 'write') await world.settle();
    if (!outcome.ok && isJournalled(plan, outcome.code)) {
      model.events.push(refusedEvent(model, plan.ask, identity, credentials, outcome.code));
    }
  }
  const unlike = outcomes.flatMap((outcome) => differences(comparable(outcomes[0]), comparable(outcome)));
  if (unlike.length > 0) throw new Error(`the wires differ: ${unlike.join('; ')}`);
  if (expected instanceof Refusal) return;
  for (const change of expected.changes ?? []) {
    model.events.push({
      ...eventOf(model, plan.ask, identity, credentials),
      ...change,
      outcome: 'ok',
      error: null,
    });
  }
  if (world.broken.length > 0) throw new Error(`something broke: ${JSON.stringify(world.broken)}`);
}

/** Who mistypes a question, or asks for what is not there, is just told so. */
function isJournalled({ needs }: Plan, code: string): boolean {
  return needs === 'write' || code === 'UNAUTHENTICATED' || code === 'PERMISSION_DENIED';
}

function expectationOf(plan: Plan, identity: Identity): Prediction | Refusal {
  try {
    requireRight(identity, plan.needs);
    return plan.predict(identity);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

function judge(expected: Prediction | Refusal, outcome: Outcome): readonly string[] {
  if (expected instanceof Refusal) {
    if (outcome.ok) return [`was let through, expected ${expected.message}`];
    const { codes, field } = expected;
    const isField = field === null || outcome.fields.includes(field);
    return codes.includes(outcome.code) && isField
      ? []
      : [`was refused otherwise, expected ${expected.message} ${field}`];
  }
  if (!outcome.ok) return ['was refused'];
  const { settles = 'never' } = expected;
  const isSettled = outcome.settled !== null;
  return [
    ...differences(expected.value, outcome.value),
    ...(settles === 'maybe' || isSettled === (settles === 'always')
      ? []
      : [`effective_at: expected ${settles}`]),
    ...(expected.learn?.(outcome) ?? []),
  ];
}

function fail(wire: Wire, ask: Ask, wrong: readonly string[], outcome: Outcome): never {
  throw new Error(
    `by ${wire.name}, ${JSON.stringify(ask)}\n${wrong.join('\n')}\nanswered ${JSON.stringify(outcome).slice(0, 500)}`,
  );
}

/** What both wires have to say alike; a field's place is another in each. */
function comparable(outcome: Outcome | undefined): unknown {
  if (outcome === undefined || !outcome.ok) {
    return {
      code: outcome?.code,
      reason: outcome?.reason,
      ...(outcome?.fields.length === 0 && { said: outcome.message }),
    };
  }
  return outcome.value;
}

function authorizationOf({ service }: World, model: Model, who: Who): string | null {
  if (who === 'root') return service.adminAuthorization;
  const secret = who === 'nobody' ? null : holderOf(model, who)?.secret.value;
  return secret == null ? null : `Bearer ${secret}`;
}

function eventOf(model: Model, { operation, input }: Ask, identity: Identity, { requestId }: Credentials) {
  return {
    id: `evt_${String(model.events.length + 1).padStart(16, '0')}`,
    at: new Date(model.now).toISOString(),
    ...{ actor: identity.actor, actor_name: identity.name },
    action: operation.charAt(0).toUpperCase() + operation.slice(1),
    address: callerAddress,
    request_id: typeof input.request_id === 'string' ? input.request_id : requestId,
  };
}

function refusedEvent(
  model: Model,
  ask: Ask,
  identity: Identity,
  credentials: Credentials,
  error: string,
): ModelEvent {
  const target = ask.id !== undefined && /^key_[0-9a-z]{26}$/.test(ask.id) ? ask.id : null;
  return {
    ...eventOf(model, ask, identity, credentials),
    ...{ target, target_name: nameFor(model, identity, target), owner: identity.owner },
    ...{ outcome: 'refused', error, before: null, after: null },
  };
}

/** Of a key that the caller may know of, and who may make calls at all. */
function nameFor(model: Model, identity: Identity, target: string | null): string | null {
  const key = model.keys.find(({ id }) => id.value === target);
  const isTold = key !== undefined && identity.actor !== null && identity.refusal === null;
  return isTold && isVisible(identity, key) ? key.name : null;
}

/** Requests that a key was used for. */
async function use(
  { service }: World,
  model: Model,
  { key: number, allowed, denied }: StepOf<'use'>,
): Promise<void> {
  const key = model.keys[number % model.keys.length];
  if (key === undefined || key.isMark || allowed + denied === 0) return;
  const hour = model.now - (model.now % (60 * minuteMs));
  const lastUsedAt = allowed > 0 ? model.now : null;
  const tally = {
    key: key.id.value as KeyId,
    hour,
    allowed,
    denied: denied > 0 ? { permission_denied: denied } : {},
    observed: {},
  };
  await service.store.recordUsage([{ ...tally, lastUsedAt, addresses: ['192.0.2.9'] }]);
  key.uses.push({ hour, allowed, denied });
  key.lastUsedAt = lastUsedAt ?? key.lastUsedAt;
  const sum = key.uses.reduce((total, one) => total + one.allowed + one.denied, 0);
  await until('the use is known', async () => {
    const known = await service.store.getUsage(tally.key, 0);
    const counts = known.map((one) => one.allowed + (one.denied.permission_denied ?? 0));
    return counts.reduce((total, count) => total + count, 0) >= sum;
  });
}
