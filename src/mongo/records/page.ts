import { BadRecord } from '../../store/store.ts';

export interface PageRead<Place, Document, Record> {
  readonly size: number;
  /** The place that the page begins behind; null for the first page. */
  readonly from: Place | null;
  readonly placeOf: (document: Document) => Place;
  /** At most so many documents behind that place, in the order of the page. */
  readonly find: (from: Place | null, limit: number) => Promise<readonly Document[]>;
  /** Throws `BadRecord` for a document that cannot be read. */
  readonly toRecord: (document: Document) => Record;
  readonly onBadRecord: (id: string, error: BadRecord) => void;
}

/** A page without the records that cannot be read. They do not make it short: a short page is the last one. */
export async function readPage<Place, Document extends { readonly _id: unknown }, Record>(
  page: PageRead<Place, Document, Record>,
): Promise<Record[]> {
  const { size, placeOf, find, toRecord, onBadRecord } = page;
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
        onBadRecord(String(document._id), error);
      }
    }
    if (documents.length < limit) break;
    const last = documents.at(-1);
    if (last !== undefined) from = placeOf(last);
  }
  return found;
}
