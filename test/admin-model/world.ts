import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { createAdminService } from '../../src/grpc/admin/admin-server.ts';
import { KeyAdminService } from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { createGrpcListener } from '../../src/grpc/server.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { formatListen } from '../../src/net/listen.ts';
import { mintSecret } from '../../src/schemes/scheme.ts';
import type { Store } from '../../src/store/store.ts';
import { createTestService, type TestService } from '../service.ts';
import type { Wire } from './ask.ts';
import type { Spare } from './model.ts';
import { createGrpcWire } from './wires/grpc-wire.ts';
import { createOperationsWire } from './wires/operations-wire.ts';
import { createRestWire } from './wires/rest-wire.ts';

/** A service, of one replica or more, on a database of its own. */
export interface World {
  readonly service: TestService;
  /** Ways to call it, which take turns at changes; what only reads, or is refused, goes by all. */
  readonly wires: readonly Wire[];
  readonly spares: readonly Spare[];
  /** What was broken, or logged as such. */
  readonly broken: readonly unknown[];
  /** Unix milliseconds. */
  setTime(now: number): void;
  /** Waits until every replica has heard of everything. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export interface WorldOptions {
  /** Makes so many stores, not open, on one database that is empty. */
  readonly createStores: (replicas: number, now: () => number) => Promise<readonly Store[]>;
  readonly replicas: number;
  /** Whether calls are made by REST and gRPC, and not only as operations. */
  readonly hasWires: boolean;
  /** Whether the settings have an admin key as far as the guard of the last one knows. */
  readonly hasOtherWriter: boolean;
}

export async function createWorld(options: WorldOptions): Promise<World> {
  const { createStores, replicas, hasWires, hasOtherWriter } = options;
  const time = { now: Date.now() };
  const stores = await createStores(replicas, () => time.now);
  const services: TestService[] = [];
  for (const store of stores) services.push(await createTestService({ store, hasOtherWriter }));
  const [service] = services;
  if (service === undefined) throw new Error('a world has one replica or more');
  const broken: unknown[] = [];
  const listeners = hasWires ? await listen(service, broken) : { wires: [], close: async () => {} };
  const setTime = (now: number) => {
    time.now = now;
    for (const { clock } of services) clock.now = now;
  };
  setTime(time.now);
  return {
    ...{ service, broken, setTime },
    wires: [...services.map(createOperationsWire), ...listeners.wires],
    spares: ['postern', 'powerverse', 'converra'].flatMap((scheme) => [
      spare(service, scheme, 'live'),
      spare(service, scheme, 'test'),
    ]),
    async settle() {
      if (services.length > 1) await service.store.settle({ at: time.now });
    },
    async close() {
      for (const { tail } of services) tail.close();
      await listeners.close();
      await Promise.all(stores.map((store) => store.close()));
    },
  };
}

function spare({ schemes }: TestService, scheme: string, environment: string): Spare {
  const found = schemes.find(({ name }) => name === scheme);
  const minted = found === undefined ? null : mintSecret(found, environment);
  if (minted === null) throw new Error(`there is no scheme ${scheme} with ${environment}`);
  return { text: minted.secret.reveal(), scheme, environment };
}

async function listen(service: TestService, broken: unknown[]) {
  const { admin, clock } = service;
  const anywhere = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
  const tell = (fields: object) => void broken.push(fields);
  const http = createHttpServer(
    {
      ...{ admin, now: () => clock.now, isReady: () => ({ ready: true, why: '' }) },
      metrics: async () => ({ contentType: 'text/plain', text: '' }),
      log: { debug() {}, warn: tell, error: tell },
    },
    { listen: anywhere },
  );
  const grpc = createGrpcListener(
    createAdminService({ admin, now: () => clock.now, onBroken: (error) => void broken.push(error) }),
    { requestBytesMax: 1_048_576 },
  );
  const [httpAt, grpcAt] = [await http.listen(), await grpc.listen(anywhere)];
  const Client = makeGenericClientConstructor(KeyAdminService, 'KeyAdmin');
  const client = new Client(formatListen(grpcAt), credentials.createInsecure());
  return {
    wires: [createRestWire(`http://${formatListen(httpAt)}`), createGrpcWire(client)],
    async close() {
      client.close();
      await Promise.all([http.close(1_000), grpc.close(1_000)]);
    },
  };
}
