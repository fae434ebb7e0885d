import { Client, credentials } from '@grpc/grpc-js';

/** Servers that have to answer a Check with the same bytes, so that they are compared by how they do it alone. */
export interface Alike {
  readonly name: string;
  readonly port: number;
}

const method = '/envoy.service.auth.v3.Authorization/Check';
const asIs = (bytes: Buffer) => bytes;
const deadlineMs = 10_000;

/** Rejects when one answers one of these CheckRequests otherwise than the first does. */
export async function requireSameAnswers(
  servers: readonly Alike[],
  requests: readonly Uint8Array[],
): Promise<void> {
  for (const request of requests) {
    const answers = await Promise.all(servers.map(({ port }) => ask(port, request)));
    const other = answers.findIndex((answer) => !answer.equals(answers[0] ?? answer));
    if (other === -1) continue;
    const [first, one] = [servers[0], servers[other]];
    throw new Error(
      `${one?.name} answers ${answers[other]?.toString('hex')} where ${first?.name} answers ${answers[0]?.toString('hex')}`,
    );
  }
}

async function ask(port: number, request: Uint8Array): Promise<Buffer> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const options = { deadline: Date.now() + deadlineMs };
  client.makeUnaryRequest(method, asIs, asIs, Buffer.from(request), options, (error, answer) => {
    if (error !== null || answer === undefined) reject(error ?? new Error('no answer'));
    else resolve(answer);
  });
  return promise.finally(() => client.close());
}
