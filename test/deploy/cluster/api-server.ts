import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type Running, start } from '../../real/child.ts';
import { freePort } from '../../real/port.ts';
import { until } from '../../real/until.ts';
import { kubernetes } from '../tools.ts';

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answers
  readonly body: any;
}

export interface CallOptions {
  readonly type?: string;
  readonly token?: string;
}

/** A kube-apiserver on an etcd, without a kubelet, a scheduler and controllers: it keeps and judges objects. */
export interface ApiServer {
  readonly url: string;
  /** The path of a kubeconfig, of the user with all rights or of whom a token is for. */
  kubeconfig(options?: { token?: string; namespace?: string }): Promise<string>;
  /** A call as the user with all rights, or whose the token is; a PATCH is a JSON merge patch unless `type` says otherwise. */
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
  /** Applies documents of YAML, server-side; throws what the server says to one that it does not take. */
  apply(yaml: string, options?: { namespace?: string; isDryRun?: boolean }): Promise<Answer[]>;
  /** A token of a service account. */
  tokenOf(namespace: string, serviceAccount: string): Promise<string>;
  /** Ends the kube-apiserver, as by SIGKILL; etcd goes on. */
  halt(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

const adminToken: string = randomUUID();

export async function startApiServer(): Promise<ApiServer> {
  const binaries = await kubernetes();
  const scratch = await mkdtemp(join(tmpdir(), 'postern-kubernetes-'));
  const at = (name: string) => join(scratch, name);
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
  const url = `https://127.0.0.1:${port}`;
  const etcd = await start(
    { path: join(binaries, 'etcd') },
    [
      ...['--data-dir', at('etcd'), '--unsafe-no-fsync', '--log-level', 'error'],
      ...['--listen-client-urls', `http://127.0.0.1:${client}`],
      ...['--advertise-client-urls', `http://127.0.0.1:${client}`],
      ...['--listen-peer-urls', `http://127.0.0.1:${peer}`],
    ],
    scratch,
  );
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  await writeFile(at('service-accounts.pem'), privateKey);
  await writeFile(at('tokens.csv'), `${adminToken},admin,admin,system:masters\n`);
  let server: Running;
  let agent = new Agent();
  await resume().catch(async (error) => {
    await stop();
    throw error;
  });
  return { url, kubeconfig, call, apply, tokenOf, halt, resume, stop };

  async function resume(): Promise<void> {
    server = await start(
      { path: join(binaries, 'kube-apiserver') },
      [
        ...['--secure-port', String(port), '--bind-address', '127.0.0.1', '--cert-dir', at('certificates')],
        ...['--etcd-servers', `http://127.0.0.1:${client}`, '--service-cluster-ip-range', '10.0.0.0/24'],
        ...['--service-account-issuer', 'https://kubernetes.default.svc'],
        ...['--service-account-key-file', at('service-accounts.pem')],
        ...['--service-account-signing-key-file', at('service-accounts.pem')],
        ...['--authorization-mode', 'RBAC', '--token-auth-file', at('tokens.csv')],
        ...['--endpoint-reconciler-type', 'none', '--shutdown-delay-duration', '0s'],
      ],
      scratch,
    );
    await until(
      () => `the API server is ready\n${server.log().slice(-4_000)}`,
      async () => {
        if (server.hasExited()) throw new Error(`the API server ended\n${server.log().slice(-4_000)}`);
        try {
          agent = new Agent({ ca: await readFile(at('certificates/apiserver.crt')), keepAlive: true });
          const { status } = await call('GET', '/readyz');
          return status === 200 && (await call('GET', '/api/v1/namespaces/default')).status === 200;
        } catch {
          return false;
        }
      },
      { everyMs: 200, deadlineMs: 180_000 },
    );
  }

  async function halt(): Promise<void> {
    await server.stop();
  }

  async function stop(): Promise<void> {
    await server?.stop();
    await etcd.stop();
    await rm(scratch, { recursive: true, force: true });
  }

  async function kubeconfig({ token = adminToken, namespace = 'default' } = {}): Promise<string> {
    const path = at(`kubeconfig-${randomUUID()}`);
    const ca = (await readFile(at('certificates/apiserver.crt'))).toString('base64');
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
      clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': ca } }],
      users: [{ name: 'test', user: { token } }],
    };
    await writeFile(path, JSON.stringify(config));
    return path;
  }

  function call(
    method: string,
    path: string,
    body?: unknown,
    { type, token = adminToken }: CallOptions = {},
  ): Promise<Answer> {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const usual = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const headers = { authorization: `Bearer ${token}`, 'content-type': type ?? usual };
    return new Promise((resolve, reject) => {
      const asked = request(`${url}${path}`, { method, headers, agent }, async (response) => {
        try {
          const chunks: Buffer[] = [];
          for await (const chunk of response) chunks.push(chunk);
          const said = Buffer.concat(chunks).toString();
          const isJson = response.headers['content-type']?.startsWith('application/json');
          resolve({ status: response.statusCode ?? 0, body: isJson ? JSON.parse(said) : said });
        } catch (error) {
          reject(error);
        }
      });
      asked.on('error', reject);
      asked.end(text);
    });
  }

  async function apply(
    yaml: string,
    { namespace = 'default', isDryRun = false }: { namespace?: string; isDryRun?: boolean } = {},
  ): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (const document of parseAllDocuments(yaml)) {
      const object = document.toJS();
      if (object === null) continue;
      const path = await pathOf(object, namespace);
      const query = `?fieldManager=test&force=true${isDryRun ? '&dryRun=All' : ''}`;
      const answer = await call('PATCH', path + query, JSON.stringify(object), {
        type: 'application/apply-patch+yaml',
      });
      if (answer.status > 299) {
        throw new Error(`${object.kind} ${object.metadata.name}: ${answer.body.message ?? answer.body}`);
      }
      answers.push(answer);
      if (object.kind === 'CustomResourceDefinition' && !isDryRun) await established(object.metadata.name);
    }
    return answers;
  }

  async function established(name: string): Promise<void> {
    await until(`the CRD ${name} is established`, async () => {
      const { body } = await call('GET', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`);
      const conditions: { type: string; status: string }[] = body.status?.conditions ?? [];
      return conditions.some(({ type, status }) => type === 'Established' && status === 'True');
    });
  }

  async function pathOf(
    object: { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } },
    namespace: string,
  ): Promise<string> {
    const base = object.apiVersion.includes('/') ? `/apis/${object.apiVersion}` : `/api/${object.apiVersion}`;
    // Told a moment after a CRD is established.
    const resource = await until(`the server knows ${object.apiVersion} ${object.kind}`, async () => {
      const { body } = await call('GET', base);
      const all: { name: string; kind: string; namespaced: boolean }[] = body.resources ?? [];
      return all.find(({ name, kind }) => kind === object.kind && !name.includes('/'));
    });
    const scope = resource.namespaced ? `/namespaces/${object.metadata.namespace ?? namespace}` : '';
    return `${base}${scope}/${resource.name}/${object.metadata.name}`;
  }

  async function tokenOf(namespace: string, serviceAccount: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
    const { body } = await call('POST', path, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    });
    return body.status.token;
  }
}
