import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Running, start } from '../../real/child.ts';
import { adminKey, type Postern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { repository } from '../image/image-tree.ts';
import type { ApiServer } from './api-server.ts';

/** A controller as a process, as a user starts it. */
export interface RunningController extends Running {
  remove(): Promise<void>;
}

export async function startController(
  postern: Pick<Postern, 'url'>,
  kubeconfig: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningController> {
  const scratch = await mkdtemp(join(tmpdir(), 'postern-controller-'));
  const child = await start(
    { path: process.execPath },
    [`${repository}bin/postern.js`, 'controller', ...args],
    scratch,
    {
      PATH: process.env.PATH,
      KUBECONFIG: kubeconfig,
      POSTERN_ADDRESS: postern.url,
      POSTERN_ADMIN_KEY: adminKey,
      ...environment,
    },
  );
  return {
    ...child,
    async remove() {
      await child.stop();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

interface ReadyStatus {
  readonly keyId: string;
  readonly conditions: readonly Condition[];
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

/** What tests ask of objects of the controller in one namespace. */
export function objectsIn(server: ApiServer, postern: Pick<Postern, 'url'>, namespace: string) {
  const keysPath = `/apis/postern.dev/v1alpha1/namespaces/${namespace}/apikeys`;
  const secretsPath = `/api/v1/namespaces/${namespace}/secrets`;
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };

  return {
    keysPath,
    secretsPath,
    /** Applies an ApiKey with this spec. */
    async put(name: string, spec: Record<string, unknown>): Promise<void> {
      const object = {
        apiVersion: 'postern.dev/v1alpha1',
        kind: 'ApiKey',
        metadata: { name, namespace },
        spec,
      };
      await server.apply(JSON.stringify(object));
    },
    /** The status, once its condition says so for the latest generation. */
    async status(
      name: string,
      wanted: { ready: boolean; reason?: string; other?: string },
    ): Promise<ReadyStatus> {
      let last: unknown;
      return await until(
        () => `${name} has ${JSON.stringify(wanted)}: ${JSON.stringify(last)}`,
        async () => {
          const { body } = await server.call('GET', `${keysPath}/${name}`);
          last = body.status ?? body;
          const status = body.status as ReadyStatus | undefined;
          const condition = status?.conditions.find(({ type }) => type === 'Ready');
          const isIt =
            condition?.status === (wanted.ready ? 'True' : 'False') &&
            condition.observedGeneration === body.metadata.generation &&
            (wanted.reason === undefined || condition.reason === wanted.reason) &&
            status?.keyId !== (wanted.other ?? '');
          return isIt ? status : undefined;
        },
        { everyMs: 100 },
      );
    },
    /** The key in a Secret; null where there is none. */
    async secret(name: string): Promise<string | null> {
      const { body } = await server.call('GET', `${secretsPath}/${name}`);
      const text = body.data?.key;
      return typeof text === 'string' ? Buffer.from(text, 'base64').toString() : null;
    },
    /** A call of the REST API with the admin key. */
    async rest(method: string, path: string, body?: unknown) {
      const sent = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
      const answer = await fetch(postern.url + path, sent);
      // biome-ignore lint/suspicious/noExplicitAny: whatever the service answers
      return { status: answer.status, body: (await answer.json()) as any };
    },
    /** Why a Check denies the key; null where it allows it. */
    async denial(key: string, environment = 'live'): Promise<string | null> {
      const { body } = await this.rest('POST', '/admin/api-keys:verify', { key, environment });
      return body.data.allowed ? null : body.data.reason;
    },
  };
}
