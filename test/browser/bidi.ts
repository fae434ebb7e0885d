/** What a command of WebDriver BiDi answered with instead of a result: https://w3c.github.io/webdriver-bidi/#errors */
export class BidiError extends Error {
  readonly code: string;

  constructor(method: string, code: string, message: string) {
    super(`${method}: ${code}: ${message}`);
    this.code = code;
  }
}

const deadlineMs = 120_000;

type Members = Record<string, unknown>;

/** A session of WebDriver BiDi with a browser. */
export interface Bidi {
  /** Sends a command; rejects with a {@link BidiError}, and when the browser has gone. */
  call(method: string, params?: Members): Promise<Members>;
  /** Is told of each event of this name; the browser sends those that were subscribed to. */
  on(event: string, listener: (params: Members) => void): void;
  close(): void;
}

/**
 * Connects to what a browser says that it listens on, and opens a session. No library that drives browsers does what
 * these tests ask of Firefox: read a page whose script is off, and set the theme.
 */
export async function openBidi(address: string): Promise<Bidi> {
  const socket = new WebSocket(`${address}/session`);
  const waiting = new Map<number, PromiseWithResolvers<Members>>();
  const listeners = new Map<string, ((params: Members) => void)[]>();
  let sent = 0;

  const end = (why: string) => {
    for (const { reject } of waiting.values()) reject(new Error(why));
    waiting.clear();
  };
  socket.addEventListener('message', ({ data }) => {
    const told = JSON.parse(String(data)) as Members & { id?: number; method?: string };
    if (told.id === undefined || told.id === null) {
      for (const listener of listeners.get(told.method ?? '') ?? []) listener(told.params as Members);
      return;
    }
    const { method, ...answer } = waiting.get(told.id) as PromiseWithResolvers<Members> & { method: string };
    waiting.delete(told.id);
    if (told.type === 'success') answer.resolve(told.result as Members);
    else answer.reject(new BidiError(method, String(told.error), String(told.message)));
  });
  socket.addEventListener('close', () => end('The browser has closed its session'));
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error(`Nobody answers at ${address}`)));
  });

  const bidi: Bidi = {
    call(method, params = {}) {
      if (socket.readyState !== WebSocket.OPEN) throw new Error(`The browser has gone before ${method}`);
      sent += 1;
      const answer = { ...Promise.withResolvers<Members>(), method };
      waiting.set(sent, answer);
      socket.send(JSON.stringify({ id: sent, method, params }));
      // Firefox answers some commands only once a question to its reader is answered.
      const late = new Error(`${method} was not answered within ${deadlineMs} ms: ${JSON.stringify(params)}`);
      const timer = setTimeout(() => answer.reject(late), deadlineMs);
      return answer.promise.finally(() => clearTimeout(timer));
    },
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
    },
    close: () => socket.close(),
  };
  await bidi.call('session.new', { capabilities: {} });
  return bidi;
}
