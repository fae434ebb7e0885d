import { request } from 'node:http';
import type { EnvoySettings } from '../../deploy/envoy/configure.ts';
import { type Echo, type Echoed, startEcho } from '../real/echo.ts';
import { type Envoy, startEnvoy } from '../real/envoy.ts';
import { adminKey, type Postern, startPostern } from '../real/postern.ts';

/** A client's request goes through a real Envoy, which asks a real Postern, to an upstream that echoes. */
export interface Stack {
  readonly postern: Postern;
  readonly envoy: Envoy;
  readonly echo: Echo;
  stop(): Promise<void>;
}

export async function startStack(
  settings: Readonly<Record<string, string>>,
  envoySettings: EnvoySettings = {},
): Promise<Stack> {
  const [postern, echo] = await Promise.all([startPostern(settings), startEcho()]);
  const envoy = await startEnvoy({
    checkAddress: postern.check,
    upstreamAddress: echo.address,
    checkTimeoutMs: 15_000,
    ...envoySettings,
  });
  return {
    postern,
    envoy,
    echo,
    async stop() {
      await Promise.all([envoy.stop(), postern.stop(), echo.stop()]);
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** What the upstream got; undefined when the request did not reach it. */
  readonly upstream: Echoed | undefined;
}

/** Sends a request exactly as written: the path is not normalised, headers may repeat. */
export function send(
  url: string,
  path: string,
  headers: readonly (readonly [name: string, value: string])[] = [],
  method = 'GET',
  host = 'api.example.com',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const sent = request({ hostname, port, path, method, agent: false, setDefaultHeaders: false });
    sent.setHeader('host', host);
    for (const [name, value] of headers) sent.appendHeader(name, value);
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        const status = response.statusCode ?? 0;
        const upstream =
          status === 200 && body.startsWith('{"method"') ? (JSON.parse(body) as Echoed) : undefined;
        resolve({ status, headers: response.headers, body, upstream });
      });
    });
    sent.end();
  });
}

export interface MadeKey {
  readonly id: string;
  readonly key: string;
  readonly [field: string]: unknown;
}

/** Makes a key over REST. */
export async function makeKey(
  postern: Pick<Postern, 'url'>,
  wanted: Readonly<Record<string, unknown>> = {},
): Promise<MadeKey> {
  const { data } = (await admin(postern, 'POST', '/admin/api-keys', { name: 'e2e', ...wanted })) as {
    data: MadeKey;
  };
  return data;
}

/** Makes an admin call over REST; throws unless it is answered with 2xx. */
export async function admin(
  postern: Pick<Postern, 'url'>,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(postern.url + path, {
    method,
    headers: { authorization: `Bearer ${adminKey}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}
