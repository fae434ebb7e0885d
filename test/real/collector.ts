import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** A span as it was exported. */
export interface Collected {
  readonly service: string;
  readonly resource: Readonly<Record<string, string | number>>;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for none. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
}

/** A receiver of OTLP over HTTP on loopback. */
export interface Collector {
  readonly address: { readonly host: string; readonly port: number };
  /** Without a path. */
  readonly url: string;
  spans(): readonly Collected[];
  /** All that was received, as it came, a byte in each character. */
  received(): string;
  /** Of the last batch. */
  headers(): IncomingHttpHeaders;
  /** What it answers from now on. Default: 200. */
  answerWith(status: number): void;
  stop(): Promise<void>;
}

export async function startCollector(): Promise<Collector> {
  const bodies: Buffer[] = [];
  let headers: IncomingHttpHeaders = {};
  let status = 200;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/v1/traces') bodies.push(Buffer.concat(chunks));
      headers = request.headers;
      response.writeHead(status, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: '127.0.0.1', port },
    url: `http://127.0.0.1:${port}`,
    spans: () => bodies.flatMap((body) => spansOf(body)),
    received: () => bodies.map((body) => body.toString('latin1')).join('\n'),
    headers: () => headers,
    answerWith(next) {
      status = next;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Value = Uint8Array | bigint | number;

/** A message's fields by their numbers, every value that each has, in order. */
class Message {
  readonly #fields = new Map<number, Value[]>();

  constructor(bytes: Uint8Array) {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      const values = this.#fields.get(field) ?? [];
      this.#fields.set(field, values);
      if (type === WireType.LengthDelimited) values.push(reader.bytes());
      else if (type === WireType.Varint) values.push(Number(reader.int64()));
      else if (type === WireType.Bit64) values.push(reader.double());
      else reader.skip(type, field);
    }
  }

  messages(field: number): Message[] {
    return this.#bytes(field).map((bytes) => new Message(bytes));
  }

  number(field: number): number {
    return Number(this.#fields.get(field)?.[0] ?? 0);
  }

  text(field: number, encoding: BufferEncoding = 'utf8'): string {
    return Buffer.from(this.#bytes(field)[0] ?? []).toString(encoding);
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  #bytes(field: number): Uint8Array[] {
    return (this.#fields.get(field) ?? []).filter((value) => value instanceof Uint8Array);
  }
}

/** Of an ExportTraceServiceRequest, by opentelemetry/proto/trace/v1/trace.proto. */
function spansOf(body: Uint8Array): Collected[] {
  return new Message(body).messages(1).flatMap((resourceSpans) => {
    const resource = attributesOf(resourceSpans.messages(1)[0], 1);
    return resourceSpans
      .messages(2)
      .flatMap((scopeSpans) => scopeSpans.messages(2))
      .map((span) => ({
        ...{ service: String(resource['service.name']), resource },
        ...{ traceId: span.text(1, 'hex'), spanId: span.text(2, 'hex'), traceState: span.text(3) },
        ...{ parentSpanId: span.text(4, 'hex'), name: span.text(5), kind: span.number(6) },
        ...{ attributes: attributesOf(span, 9), status: span.messages(15)[0]?.number(3) ?? 0 },
      }));
  });
}

function attributesOf(message: Message | undefined, field: number): Record<string, string | number> {
  const pairs = message?.messages(field).map((pair) => {
    const value = pair.messages(2)[0];
    return [pair.text(1), value?.has(1) ? value.text(1) : (value?.number(3) ?? 0)] as const;
  });
  return Object.fromEntries(pairs ?? []);
}
