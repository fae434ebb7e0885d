import { z } from 'zod';
import { parseDuration } from '../../time/time.ts';
import type { ClusterObject } from '../cluster/objects.ts';
import { invalidSpec } from '../problem.ts';

/** What an ApiKey asks for, with every default. */
export interface ApiKeySpec {
  readonly name: string;
  readonly secretName: string;
  /** Null: that of the service. */
  readonly scheme: string | null;
  readonly environment: string | null;
  readonly owner: string;
  readonly permissions: readonly string[];
  readonly roles: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** How long a key is used for; null for ever. */
  readonly rotateEveryMs: number | null;
  /** How long a key that was replaced goes on. */
  readonly graceMs: number;
}

/** What marks keys that an ApiKey made: its uid, and for people its name. */
export const uidLabel = 'postern.dev/uid';
const nameLabel = 'postern.dev/apikey';

const graceDefaultMs = 86_400_000;
const rotateMsMin = 1_000;

const duration = z.string().transform((text, context) => {
  const ms = /^0+(?:ms|s|m|h|d)$/.test(text) ? 0 : parseDuration(text);
  if (ms !== null) return ms;
  context.addIssue('is no length of time: write it as 90s, 15m, 36h, 30d');
  return z.NEVER;
});

const opensTheAdminApi = (permission: string) => permission.startsWith('admin:');

const specShape = z.object({
  name: z.string().optional(),
  secretName: z.string().min(1),
  scheme: z.string().optional(),
  environment: z.string().optional(),
  owner: z.string().min(1).optional(),
  permissions: z
    .array(z.string())
    .refine((all) => !all.some(opensTheAdminApi), 'no ApiKey makes an admin key: make it by hand')
    .default([]),
  roles: z.array(z.string()).default([]),
  labels: z.record(z.string(), z.string()).default({}),
  rotateEvery: duration.refine((ms) => ms >= rotateMsMin, 'is 1s or more').optional(),
  gracePeriod: duration.default(graceDefaultMs),
});

/** Reads the spec again that the API server has judged by its CRD. Throws a {@link Problem}. */
export function readApiKeySpec({ metadata, spec }: ClusterObject): ApiKeySpec {
  const read = specShape.safeParse(spec);
  if (!read.success) throw invalidSpec(read.error);
  const { name, scheme, environment, owner, labels, rotateEvery, gracePeriod, ...rest } = read.data;
  const { namespace = '' } = metadata;
  const whole = `${namespace}/${metadata.name}`;
  return {
    ...rest,
    name: name ?? whole.slice(0, 200),
    scheme: scheme ?? null,
    environment: environment ?? null,
    owner: owner ?? namespace,
    labels: { ...labels, [uidLabel]: metadata.uid, [nameLabel]: whole.slice(0, 256) },
    rotateEveryMs: rotateEvery ?? null,
    graceMs: gracePeriod,
  };
}
