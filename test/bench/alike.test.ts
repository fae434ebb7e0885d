import { Server, ServerCredentials } from '@grpc/grpc-js';
import { expect, it, onTestFinished } from 'vitest';
import { requireSameAnswers } from '../../bench/client/alike.ts';

/** Answers each Check with what `answer` makes of it; resolves with its port. */
async function serve(answer: (request: Buffer) => Buffer): Promise<number> {
  const server = new Server();
  const asIs = (bytes: Buffer) => bytes;
  const path = '/envoy.service.auth.v3.Authorization/Check';
  const check = { path, requestStream: false, responseStream: false } as const;
  const codec = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  server.addService(
    { check: { ...check, ...codec } },
    {
      check: (call: { request: Buffer }, done: (error: null, reply: Buffer) => void) =>
        done(null, answer(call.request)),
    },
  );
  onTestFinished(() => server.forceShutdown());
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
    if (error) reject(error);
    else resolve(port);
  });
  return promise;
}

const requests = [Buffer.from('a key'), Buffer.from('no key')];

it('takes servers that answer each request with the same bytes', async () => {
  const servers = [
    { name: 'one', port: await serve((request) => Buffer.concat([request, request])) },
    { name: 'other', port: await serve((request) => Buffer.concat([request, request])) },
  ];
  await expect(requireSameAnswers(servers, requests)).resolves.toBeUndefined();
});

it('names the one that answers otherwise, and both answers', async () => {
  const servers = [
    { name: 'one', port: await serve(() => Buffer.of(1)) },
    { name: 'other', port: await serve((request) => Buffer.of(request.length === 5 ? 1 : 2)) },
  ];
  await expect(requireSameAnswers(servers, requests)).rejects.toThrow(
    'other answers 02 where one answers 01',
  );
});
