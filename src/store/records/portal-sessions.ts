import type { JournalDraft } from '../../journal/journal.ts';
import type { PortalSessionRecord } from '../../keys/portal-session.ts';

/** The portal sessions, which a fleet shares; they go by themselves a day after their end. */
export interface PortalSessionStore {
  getPortalSession(id: string): Promise<PortalSessionRecord | null>;
  /**
   * Writes the session if its version is `ifVersion`, 0 for one that is not there; says whether it
   * did. Durable when it resolves, with its entry in the journal, as every change.
   */
  putPortalSession(record: PortalSessionRecord, ifVersion: number, draft?: JournalDraft): Promise<boolean>;
}
