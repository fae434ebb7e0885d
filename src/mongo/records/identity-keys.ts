import type { Collection, Db } from 'mongodb';
import type { IdentityKeyStore } from '../../store/records/identity-keys.ts';
import { DuplicateKey } from '../../store/store.ts';
import { identityKeysName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';

/** A key of identity tokens, in the collection `identity_keys`. */
interface IdentityKeyDocument {
  /** The generation. */
  _id: number;
  private_key: string;
  created_at: Date;
}

/** The keys of identity tokens. */
export type IdentityKeyCollection = IdentityKeyStore;

export function createIdentityKeyCollection(database: Db, sessions: Sessions): IdentityKeyCollection {
  const keys: Collection<IdentityKeyDocument> = database.collection(identityKeysName);

  return {
    async listIdentityKeys() {
      const documents = await sessions.read((read) => keys.find({}, { ...read, sort: { _id: 1 } }).toArray());
      return documents.map(({ _id, private_key, created_at }) => ({
        generation: _id,
        privateKey: private_key,
        createdAt: created_at.getTime(),
      }));
    },
    async addIdentityKey({ generation, privateKey, createdAt }) {
      const document = { _id: generation, private_key: privateKey, created_at: new Date(createdAt) };
      try {
        await sessions.write((session) => keys.insertOne(document, { session }));
        return true;
      } catch (error) {
        if (error instanceof DuplicateKey) return false;
        throw error;
      }
    },
    async removeIdentityKeysBefore(generation) {
      await sessions.write((session) => keys.deleteMany({ _id: { $lt: generation } }, { session }));
    },
  };
}
