import { MongoBulkWriteError, MongoNetworkError, MongoServerError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { mongoError } from '../../../src/mongo/errors.ts';
import { DuplicateKey, StoreUnavailable } from '../../../src/store/store.ts';

describe('an error of the driver', () => {
  it('is StoreUnavailable, with its cause, when it is a socket that broke, which the driver hands on bare', () => {
    for (const code of ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED', 'ERR_SOCKET_CLOSED']) {
      const cause = Object.assign(new Error('This socket has been ended by the other party'), { code });
      expect(mongoError(cause)).toEqual(
        new StoreUnavailable('the connection to MongoDB was lost', { cause }),
      );
    }
  });

  it('is StoreUnavailable when it is a connection that broke under a bulk write, which the driver hides', () => {
    const cause = new MongoNetworkError('connection 1 closed');
    const hidden = new MongoServerError(cause);
    expect(mongoError(Object.setPrototypeOf(hidden, MongoBulkWriteError.prototype))).toEqual(
      new StoreUnavailable('MongoDB could not be asked', { cause }),
    );
  });

  it('is DuplicateKey, without the text that quotes the digest', () => {
    const error = new MongoServerError({ code: 11000, message: 'dup key: { digest: "abc" }' });
    const named = mongoError(error);
    expect(named).toEqual(new DuplicateKey());
    expect(named).not.toHaveProperty('cause');
  });

  it('stays itself when it means neither: a mistake of ours is not an outage', () => {
    for (const error of [
      new MongoServerError({ code: 2, message: 'BadValue' }),
      new TypeError('a'),
      'text',
    ]) {
      expect(mongoError(error)).toBe(error);
    }
  });
});
