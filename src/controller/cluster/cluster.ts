import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent, type RequestOptions, request as requestHttps } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH';

/** A Kubernetes API server, as one who may call it. */
export interface Cluster {
  /** The namespace of the context, `default` where it names none. */
  readonly namespace: string;
  /** A good answer, read as JSON. A PATCH is a JSON merge patch. Throws a {@link ClusterError}. */
  call(method: Method, path: string, body?: unknown): Promise<unknown>;
  /** As `call` of GET, with the metadata of objects and nothing else. */
  metadata(path: string): Promise<unknown>;
  /** The lines of an answer that lasts; throws a {@link ClusterError}, or what cuts it off. */
  watch(path: string, options: WatchOptions): AsyncIterable<string>;
  close(): void;
}

export interface WatchOptions {
  readonly isMetadata: boolean;
  readonly signal: AbortSignal;
}

/** A call that did not go well. */
export class ClusterError extends Error {
  /** The HTTP status; null where nobody answered. */
  readonly status: number | null;

  constructor(status: number | null, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ClusterError';
    this.status = status;
  }
}

/** Of one call; a watch may be as silent for as long as {@link watchMsMax}. */
const callMsMax = 15_000;
/** A watch ends after this, so that a server that went away without a word is found out. */
export const watchMsMax = 60_000;
const answerBytesMax = 64 * 1_048_576;
const lineBytesMax = 4 * 1_048_576;

const metadataOf = (kind: string) => `application/json;as=${kind};g=meta.k8s.io;v=v1`;

/** The files that KUBECONFIG names, else the service account of the pod. Throws where neither can be read. */
export function connectCluster(source: 'kubeconfig' | 'pod'): Cluster {
  const config = new KubeConfig();
  if (source === 'kubeconfig') config.loadFromDefault();
  else config.loadFromCluster();
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new Error('it has no current context with a cluster');
  // The configuration's own agent makes a connection for each call.
  const agent = new Agent({ keepAlive: true });

  return {
    namespace: config.getContextObject(config.getCurrentContext())?.namespace?.trim() || 'default',
    call: (method, path, body) => call(method, path, body, 'application/json'),
    metadata: (path) => call('GET', path, undefined, metadataOf('PartialObjectMetadataList')),
    async *watch(path, { isMetadata, signal }) {
      const accept = isMetadata ? metadataOf('PartialObjectMetadata') : 'application/json';
      const late = AbortSignal.timeout(watchMsMax + callMsMax);
      const response = await send('GET', path, { accept, signal: AbortSignal.any([signal, late]) });
      if (response.statusCode !== 200) throw refused(response, await textOf(response));
      yield* linesOf(response);
    },
    close: () => agent.destroy(),
  };

  async function call(method: Method, path: string, body: unknown, accept: string): Promise<unknown> {
    const signal = AbortSignal.timeout(callMsMax);
    const response = await send(method, path, { accept, signal, body });
    const text = await textOf(response);
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299) throw refused(response, text);
    return JSON.parse(text);
  }

  async function send(
    method: Method,
    path: string,
    { accept, signal, body }: Sent,
  ): Promise<IncomingMessage> {
    const security: RequestOptions = {};
    try {
      await config.applyToHTTPSOptions(security);
    } catch (error) {
      throw new ClusterError(null, `${server} cannot be called: ${messageOf(error)}`, { cause: error });
    }
    const url = new URL(`${server}${path}`);
    const isPlain = url.protocol === 'http:';
    const hasProxy = config.getCurrentCluster()?.proxyUrl !== undefined;
    const text = body === undefined ? null : JSON.stringify(body);
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const request: ClientRequest = (isPlain ? requestHttp : requestHttps)(url, {
      ...security,
      ...(!hasProxy && !isPlain && { agent }),
      method,
      signal,
      headers: {
        ...security.headers,
        accept,
        ...(text !== null && { 'content-type': type, 'content-length': Buffer.byteLength(text) }),
      },
    });
    // What goes wrong once the answer has begun is told by the answer.
    request.on('error', () => {});
    request.end(text ?? undefined);
    try {
      const [response] = await once(request, 'response');
      return response;
    } catch (error) {
      throw unreachable(error);
    }
  }

  function unreachable(error: unknown): ClusterError {
    return new ClusterError(null, `${server} does not answer: ${messageOf(error)}`, { cause: error });
  }

  async function textOf(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > answerBytesMax) throw new Error(`more than ${answerBytesMax} bytes`);
      }
    } catch (error) {
      throw unreachable(error);
    }
    return Buffer.concat(chunks).toString();
  }
}

interface Sent {
  readonly accept: string;
  readonly signal: AbortSignal;
  readonly body?: unknown;
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding('utf8');
  let rest = '';
  for await (const chunk of response) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > lineBytesMax) throw new Error('a line of a watch is too long');
    yield* lines.filter((line) => line !== '');
  }
}

/** What the server says of its refusal, a `Status`. */
function refused({ statusCode = 0, statusMessage = '' }: IncomingMessage, text: string): ClusterError {
  let said = statusMessage;
  try {
    said = (JSON.parse(text) as { readonly message?: string }).message ?? said;
  } catch {
    // Not the API server, but what stands before it.
  }
  return new ClusterError(statusCode, said);
}

function messageOf(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (name === 'AbortError' || name === 'TimeoutError') return 'it took too long';
  return code ?? message;
}
