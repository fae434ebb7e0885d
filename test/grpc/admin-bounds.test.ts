import { expect, it, onTestFinished } from 'vitest';
import { createAdminService } from '../../src/grpc/admin/admin-server.ts';
import { createGrpcListener } from '../../src/grpc/server.ts';
import { call, RawClient } from '../h2/raw-client.ts';
import { createTestService } from '../service.ts';

/** RFC 9113, section 7. */
const refusedStream = 7;

it('a connection to the admin listener has so many calls under way and no more, whoever makes them', async () => {
  const service = await createTestService();
  let calls = 0;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const admin = {
    ...service.admin,
    async listKeys() {
      calls++;
      await ended;
      return { keys: [], nextPageToken: null };
    },
  };
  const listener = createGrpcListener(createAdminService({ admin, now: () => 0, onBroken() {} }), {
    requestBytesMax: 65_536,
  });
  onTestFinished(() => listener.close(0));
  const client = await RawClient.connect(await listener.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }));
  const asked = 500;
  for (let made = 0; made < asked; made++) {
    client.send(call(2 * made + 1, '', '/postern.admin.v1.KeyAdmin/ListKeys'));
  }
  expect((await client.outcome(2 * asked - 1)).reset).toBe(refusedStream);
  await expect.poll(() => calls).toBe(100);
  end();
  expect((await client.outcome(1)).headers['grpc-status']).toBe('0');
  expect(calls).toBe(100);
  client.close();
});
