import {
  type ClientReadableStream,
  credentials,
  makeGenericClientConstructor,
  type ServiceDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { service as healthService } from 'grpc-health-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CheckMethods, createCheckMethods } from '../../src/grpc/check/check-methods.ts';
import { CheckUnavailable } from '../../src/grpc/check/check-response.ts';
import type { Answer } from '../../src/grpc/check/check-server.ts';
import { STREAM_QUESTIONS_MAX } from '../../src/grpc/reflection.ts';
import { createH2Listener, type H2Listener } from '../../src/h2/listener.ts';
import { formatListen } from '../../src/net/listen.ts';

const path = '/envoy.service.auth.v3.Authorization/Check';
const asIs = (bytes: Uint8Array) => Buffer.from(bytes);
let checks: CheckMethods;
let listener: H2Listener;
let address: string;
let answer: Answer;
let broken: unknown[];

beforeEach(async () => {
  broken = [];
  checks = createCheckMethods(
    (bytes) => answer(bytes),
    async () => [],
  );
  listener = createH2Listener(checks.methods, { onBroken: (error) => broken.push(error) });
  address = formatListen(await listener.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }));
});
afterEach(() => listener.close(0));

function clientOf(definition: ServiceDefinition) {
  const Client = makeGenericClientConstructor(definition, 'Test');
  return new Client(address, credentials.createInsecure());
}

interface Told {
  readonly code: number;
  readonly details: string;
  readonly answer: Buffer | undefined;
}

function check(request: string): Promise<Told> {
  const client = clientOf({});
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, Buffer.from(request), (error, bytes) => {
      client.close();
      resolve({ code: error?.code ?? status.OK, details: error?.details ?? '', answer: bytes });
    });
  });
}

describe('a Check', () => {
  it('is answered at once or later', async () => {
    answer = (bytes) => asIs(bytes);
    expect(await check('now')).toMatchObject({ answer: Buffer.from('now') });
    answer = async (bytes) => asIs(bytes);
    expect(await check('later')).toMatchObject({ answer: Buffer.from('later') });
  });

  it('fails as a call where it is to, and says why', async () => {
    answer = () => Promise.reject(new CheckUnavailable('the store is away'));

    expect(await check('')).toEqual({
      code: status.UNAVAILABLE,
      details: 'the store is away',
      answer: undefined,
    });
  });

  it('that breaks fails without a word of why, which the log has', async () => {
    const bug = new TypeError('bug');
    answer = () => Promise.reject(bug);
    expect(await check('')).toEqual({ code: status.INTERNAL, details: 'Internal error', answer: undefined });
    answer = () => {
      throw bug;
    };
    expect(await check('')).toMatchObject({ code: status.INTERNAL, details: 'Internal error' });
    expect(broken).toEqual([bug, bug]);
  });
});

describe('health', () => {
  type Asked = (
    request: object,
    done: (error: ServiceError | null, told?: { status: string }) => void,
  ) => void;
  type Watched = (request: object) => ClientReadableStream<{ status: string }>;

  function health(service: string): Promise<string | undefined> {
    const client = clientOf(healthService as ServiceDefinition);
    return new Promise((resolve) => {
      (client.check as unknown as Asked).call(client, { service }, (error, told) => {
        client.close();
        resolve(error ? status[error.code] : told?.status);
      });
    });
  }

  it('is told of the listener and of its service', async () => {
    expect(await health('')).toBe('NOT_SERVING');
    checks.setServing(true);
    expect(await health('')).toBe('SERVING');
    expect(await health('envoy.service.auth.v3.Authorization')).toBe('SERVING');
    expect(await health('nobody')).toBe('NOT_FOUND');
  });

  it('can be watched, until watches are ended', async () => {
    const client = clientOf(healthService as ServiceDefinition);
    const stream = (client.watch as unknown as Watched).call(client, { service: '' });
    const seen: string[] = [];
    const ended = new Promise<ServiceError>((resolve) => stream.on('error', resolve));
    stream.on('data', (told) => seen.push(told.status));
    await expect.poll(() => seen).toEqual(['NOT_SERVING']);
    checks.setServing(true);
    await expect.poll(() => seen).toEqual(['NOT_SERVING', 'SERVING']);
    checks.endWatches();

    expect(await ended).toMatchObject({ code: status.UNAVAILABLE, details: 'the server is shutting down' });
    checks.setServing(false);
    expect(seen).toHaveLength(2);
    client.close();
  });
});

describe.each(['v1', 'v1alpha'])('reflection %s', (version) => {
  const file = `node_modules/@grpc/reflection/build/proto/grpc/reflection/${version}/reflection.proto`;
  const definition = loadSync(file, { keepCase: true })[`grpc.reflection.${version}.ServerReflection`];

  async function ask(questions: readonly object[]) {
    const client = clientOf(definition as ServiceDefinition);
    const stream = client.ServerReflectionInfo?.();
    const answers: Record<string, { service: { name: string }[]; file_descriptor_proto: Buffer[] }>[] = [];
    const code = await new Promise<status>((resolve) => {
      stream.on('data', (told: (typeof answers)[number]) => answers.push(told));
      stream.on('status', (end: { code: status }) => resolve(end.code));
      stream.on('error', () => {});
      for (const question of questions) stream.write(question);
      stream.end();
    });
    client.close();
    return { answers, code };
  }

  it('lists what the listener serves, and describes it', async () => {
    const symbol = 'envoy.service.auth.v3.Authorization';
    const { answers, code } = await ask([{ list_services: '*' }, { file_containing_symbol: symbol }]);

    expect(code).toBe(status.OK);
    expect(answers[0]?.list_services_response?.service.map(({ name }) => name).sort()).toEqual([
      symbol,
      'envoy.service.ratelimit.v3.RateLimitService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
    expect(answers[1]?.file_descriptor_response?.file_descriptor_proto.length).toBeGreaterThan(0);
  });

  it('ends a stream that asks without end', async () => {
    const questions = Array.from({ length: STREAM_QUESTIONS_MAX + 1 }, () => ({ list_services: '*' }));
    const { answers, code } = await ask(questions);

    expect(code).toBe(status.RESOURCE_EXHAUSTED);
    expect(answers.length).toBeLessThanOrEqual(STREAM_QUESTIONS_MAX);
  });
});
