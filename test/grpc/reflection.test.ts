import { BinaryReader } from '@bufbuild/protobuf/wire';
import {
  type ClientDuplexStream,
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addReflection, STREAM_QUESTIONS_MAX } from '../../src/grpc/reflection.ts';

interface Question {
  list_services?: string;
  file_containing_symbol?: string;
  file_by_filename?: string;
}
interface Answer {
  list_services_response?: { service: { name: string }[] };
  file_descriptor_response?: { file_descriptor_proto: Buffer[] };
  error_response?: { error_code: number };
}

const server = new Server();
let address: string;

beforeAll(async () => {
  addReflection(server, ['postern.admin.v1.KeyAdmin', 'envoy.service.auth.v3.Authorization']);
  const port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  address = `127.0.0.1:${port}`;
});
afterAll(() => server.forceShutdown());

describe.each(['v1', 'v1alpha'])('server reflection %s', (version) => {
  it('lists the services of the listener and its own, and no other', async () => {
    const { answers } = await ask(version, [{ list_services: '*' }]);

    expect(answers[0]?.list_services_response?.service.map(({ name }) => name).sort()).toEqual([
      'envoy.service.auth.v3.Authorization',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'postern.admin.v1.KeyAdmin',
    ]);
  });

  it.each([
    'postern.admin.v1.KeyAdmin',
    'postern.admin.v1.Key',
    'envoy.service.auth.v3.CheckResponse',
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
  ])(
    'gives the file that defines %s and all that it imports, under the names it imports them by',
    async (symbol) => {
      const imports = new Map<string, string[]>();
      for (let wanted: Question[] = [{ file_containing_symbol: symbol }]; wanted.length > 0; ) {
        const { answers } = await ask(version, wanted);
        expect(answers.map((answer) => answer.error_response)).toEqual(wanted.map(() => undefined));
        for (const answer of answers) {
          for (const file of answer.file_descriptor_response?.file_descriptor_proto ?? []) {
            imports.set(...readNameAndImports(file));
          }
        }
        const missing = new Set([...imports.values()].flat().filter((name) => !imports.has(name)));
        wanted = [...missing].map((name) => ({ file_by_filename: name }));
      }

      expect(imports.size).toBeGreaterThan(0);
    },
  );

  it('answers NOT_FOUND for a symbol that nobody defines', async () => {
    const { answers } = await ask(version, [{ file_containing_symbol: 'postern.admin.v1.Nothing' }]);

    expect(answers[0]?.error_response?.error_code).toBe(status.NOT_FOUND);
  });

  it('ends a stream that asks without end', async () => {
    const questions = Array.from({ length: STREAM_QUESTIONS_MAX + 1 }, () => ({ list_services: '*' }));
    const { answers, code } = await ask(version, questions);

    expect(code).toBe(status.RESOURCE_EXHAUSTED);
    expect(answers.length).toBeLessThanOrEqual(STREAM_QUESTIONS_MAX);
  });
});

/** Asks all on one stream and waits for its end. */
async function ask(version: string, questions: Question[]): Promise<{ answers: Answer[]; code: status }> {
  const proto = `node_modules/@grpc/reflection/build/proto/grpc/reflection/${version}/reflection.proto`;
  const definition = loadSync(proto, {
    keepCase: true,
  })[`grpc.reflection.${version}.ServerReflection`];
  const Client = makeGenericClientConstructor(definition as ServiceDefinition, 'ServerReflection');
  const client = new Client(address, credentials.createInsecure());
  const stream: ClientDuplexStream<Question, Answer> = client.ServerReflectionInfo?.();
  const answers: Answer[] = [];
  const ended = new Promise<status>((resolve) => {
    stream.on('data', (answer) => answers.push(answer));
    stream.on('status', ({ code }) => resolve(code));
    stream.on('error', () => {});
  });
  for (const question of questions) stream.write(question);
  stream.end();
  const code = await ended;
  client.close();
  return { answers, code };
}

/** Of a FileDescriptorProto: its name (field 1) and the files that it imports (field 3). */
function readNameAndImports(file: Uint8Array): [name: string, imports: string[]] {
  const reader = new BinaryReader(file);
  let name = '';
  const imports: string[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) name = reader.string();
    else if (field === 3) imports.push(reader.string());
    else reader.skip(wireType);
  }
  return [name, imports];
}
