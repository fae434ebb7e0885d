import { BadRecord } from '../store.ts';

export interface PageRead<Document, Record> {
  readonly size: number;
  /** The id that the page begins behind; null for the first page. */
  readonly from: string | null;
  /** At most so many documents behind that id, in the order of the page. */
  readonly find: (from: string | null, limit: number) => Promise<readonly Document[]>;
  /** Throws `BadRecord` for a document that can not be read. */
  readonly toRecord: (document: Document) => Record;
  readonly onBadRecord: (id: string, error: BadRecord) => void;
}

/** A page without the records that can not be read. They do not make it short: a short page is the last one. */
export async function readPage<Document extends { readonly _id: string }, Record>(
  page: PageRead<Document, Record>,
): Promise<Record[]> {
  const { size, find, toRecord, onBadRecord } = page;
  const found: Record[] = [];
  let { from } = page;
  while (found.length < size) {
    const limit = size - found.length;
    const documents = await find(from, limit);
    for (const document of documents) {
      try {
        found.push(toRecord(document));
      } catch (error) {
        if (!(error instanceof BadRecord)) throw error;
        onBadRecord(document._id, error);
      }
    }
    if (documents.length < limit) break;
    from = documents.at(-1)?._id ?? from;
  }
  return found;
}
