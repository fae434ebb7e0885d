import { z } from 'zod';
import type { KeyAnswer } from '../answers/key-text.ts';
import type { Client } from '../calls/client.ts';
import { ownerPath } from '../owners/owner-path.ts';
import { rolePath } from '../roles/role-path.ts';
import { CommandError } from '../terminal/command.ts';
import { type Kind, type Members, setLabel, type Wanted, wrongDocuments } from './documents.ts';
import { createFoundKeys, type FoundKeys, isOfSet } from './found-keys.ts';
import { type Difference, differences } from './members.ts';

/** One change, as the plan names it and as the service is asked for it. */
export type Step = {
  readonly kind: Kind;
  /** What people know it by. */
  readonly id: string;
} & (
  | { readonly act: 'make'; readonly method: 'POST' | 'PUT'; readonly path: string; readonly body: Members }
  | {
      readonly act: 'change';
      readonly method: 'PATCH' | 'PUT';
      readonly path: string;
      readonly body: Members;
      readonly differences: readonly Difference[];
    }
  | { readonly act: 'revoke'; readonly key: KeyAnswer; readonly why: string }
);

export interface Plan {
  /** In the order in which they can be made: what keys name comes before them. */
  readonly steps: readonly Step[];
  /** What is as it is wanted. */
  readonly same: number;
}

export interface PlanOptions {
  readonly set: string;
  readonly prune: boolean;
  /** Whether the file of a key's secret is there; null where nobody keeps them. */
  readonly hasSecret: ((externalId: string) => boolean) | null;
}

const answer = z.object({ data: z.looseObject({ etag: z.string().optional() }) });

/** What has to change. Asks the service and changes nothing; throws a {@link CommandError} with all that cannot be. */
export async function makePlan(
  client: Client,
  wanted: readonly Wanted[],
  options: PlanOptions,
): Promise<Plan> {
  const keys = await createFoundKeys(client, options.set, wanted);
  const problems: string[] = [];
  const steps: Step[] = [];
  let same = 0;
  const named = new Set<string>();
  for (const kind of ['Role', 'Owner', 'Key'] as const) {
    for (const one of wanted.filter((document) => document.kind === kind)) {
      const found =
        kind === 'Key' ? await keySteps(keys, one, options, named) : await otherSteps(client, one);
      if (typeof found === 'string') problems.push(found);
      else if (found.length === 0) same += 1;
      else steps.push(...found);
    }
  }
  if (options.prune) steps.push(...surplus(await keys.ofSet(), named));
  if (problems.length > 0) throw wrongDocuments(problems);
  return { steps, same };
}

/** Of an owner or a role. */
async function otherSteps(client: Client, { kind, id, spec }: Wanted): Promise<Step[]> {
  const path = kind === 'Owner' ? ownerPath(id) : rolePath(id);
  const found = await foundOrNull(client, path);
  if (found === null) return [{ kind, id, act: 'make', method: 'PUT', path, body: spec }];
  const differing = differences(kind, id, spec, found);
  if (differing.length === 0) return [];
  const changed = Object.fromEntries(differing.map(({ member, after }) => [member, after]));
  const { description, permissions, etag } = found;
  const [method, body] =
    kind === 'Owner'
      ? (['PATCH', { ...changed, etag }] as const)
      : (['PUT', { description, permissions, ...changed, etag }] as const);
  return [{ kind, id, act: 'change', method, path, body, differences: differing }];
}

/** Null for what nobody has put. */
async function foundOrNull(client: Client, path: string): Promise<Members | null> {
  try {
    return (await client.call(answer, 'GET', path)).data;
  } catch (error) {
    const isMissing = error instanceof CommandError && /^(?:OWNER|ROLE)_NOT_FOUND$/.test(error.reason ?? '');
    if (isMissing) return null;
    throw error;
  }
}

/** Of a key; its id is added to those that are named. Text for what cannot be. */
async function keySteps(
  keys: FoundKeys,
  wanted: Wanted,
  { set, hasSecret }: PlanOptions,
  named: Set<string>,
): Promise<Step[] | string> {
  const { id, spec } = wanted;
  const found = await keys.of(wanted);
  if ('problem' in found) return found.problem;
  const { key } = found;
  if (key === null) return makeKey(wanted, set);
  named.add(key.id);
  const fixed = (['scheme', 'environment'] as const).find(
    (member) => spec[member] != null && spec[member] !== key[member],
  );
  if (fixed !== undefined)
    return wanted.problem(`is ${key[fixed]} on the key that is there, and cannot be changed`, fixed);
  if (isOfSet(key, set) && hasSecret !== null && !hasSecret(id)) {
    const made = makeKey({ ...wanted, spec: { ...keptOf(key, spec), ...spec } }, set);
    if (typeof made === 'string') return made;
    return [{ kind: 'Key', id, act: 'revoke', key, why: 'the file with its secret is missing' }, ...made];
  }
  const differing = differences('Key', id, spec, key);
  if (differing.length === 0) return [];
  const body = Object.fromEntries(differing.map(({ member, after }) => [member, after]));
  const mark = key.labels[setLabel];
  if (Object.hasOwn(body, 'labels') && mark !== undefined)
    body.labels = { ...Object(body.labels), [setLabel]: mark };
  const path = `/admin/api-keys/${key.id}`;
  const change = {
    method: 'PATCH',
    path,
    body: { ...body, etag: key.etag },
    differences: differing,
  } as const;
  return [{ kind: 'Key', id, act: 'change', ...change }];
}

function makeKey(
  { id, spec, problem }: Pick<Wanted, 'id' | 'spec' | 'problem'>,
  set: string,
): Step[] | string {
  if (spec.name == null) return problem('name is required, since the key is to be made');
  const labels = { ...Object(spec.labels), [setLabel]: set };
  const body = { ...spec, external_id: id, labels };
  return [{ kind: 'Key', id, act: 'make', method: 'POST', path: '/admin/api-keys', body }];
}

/** What a key has and its document leaves unsaid: one that is made in its place has it too. */
function keptOf(key: KeyAnswer, spec: Members): Members {
  const { name, scheme, environment, owner, permissions, roles, ip_allowlist, plan, labels } = key;
  const { principals, rate_limits, expires_at } = key;
  const saysEnd = spec.expires_in != null || Object.hasOwn(spec, 'expires_at');
  return {
    ...{ name, scheme, environment, owner, permissions, roles, ip_allowlist, plan, labels },
    ...(principals?.length && { principals }),
    ...(spec.rate_limit == null && rate_limits?.length && { rate_limits }),
    ...(!saysEnd && expires_at !== null && key.state === 'active' && { expires_at }),
  };
}

/** Keys that the set made and names no more; what one that is named has replaced ends by itself. */
function surplus(made: readonly KeyAnswer[], named: ReadonlySet<string>): Step[] {
  const byId = new Map(made.map((key) => [key.id, key]));
  const isNamed = (key: KeyAnswer | undefined): boolean =>
    key !== undefined &&
    (named.has(key.id) || (key.replaced_by != null && isNamed(byId.get(key.replaced_by))));
  return made
    .filter((key) => !isNamed(key))
    .map((key) => ({
      kind: 'Key',
      id: key.external_id ?? key.name,
      act: 'revoke',
      key,
      why: 'no longer named',
    }));
}
