import type { IncomingMessage } from 'node:http';
import type { Identity } from '../../admin/identity.ts';

/** Portal sessions, which links to the console open. */
export interface Portal {
  /** Whether the link that carries the token can be opened. */
  canOpen(token: string): Promise<boolean>;
  /** Opens the session once; null where its link was used, is too old or never was. Either is journalled. */
  open(request: IncomingMessage, token: string): Promise<OpenedPortal | null>;
  /** Null once the session has ended. */
  identity(id: string): Promise<Identity | null>;
  /** Ends it for whoever looks by it. */
  end(request: IncomingMessage, id: string): Promise<void>;
}

export interface OpenedPortal {
  readonly id: string;
  readonly returnUrl: string | null;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}
