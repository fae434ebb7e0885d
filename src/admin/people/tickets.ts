import { randomBytes } from 'node:crypto';

/** What the console calls REST by, for a person who has no admin key. */
export interface Ticket {
  /** The value of an `Authorization` header, which never leaves the process. */
  readonly authorization: string;
  /** From now on it is nobody's. */
  end(): void;
}

/** Who makes calls within this process, each for as long as one request of theirs lasts. */
export interface Tickets<Identity> {
  issue(identity: Identity): Ticket;
  /** Whose it is; null for any other text. */
  find(text: string): Identity | null;
}

export function createTickets<Identity>(): Tickets<Identity> {
  // As many as there are requests under way, which connections bound.
  const held = new Map<string, Identity>();

  return {
    issue(identity) {
      const text = `console_${randomBytes(32).toString('base64url')}`;
      held.set(text, identity);
      return { authorization: `Bearer ${text}`, end: () => void held.delete(text) };
    },
    find: (text) => held.get(text) ?? null,
  };
}
