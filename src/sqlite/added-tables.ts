/** Steps of the migrations that only add tables of their own, which older versions leave as they are. */

export const identityKeysStep = {
  readerMin: 2,
  statements: `
  CREATE TABLE identity_keys (
    generation INTEGER PRIMARY KEY, private_key TEXT NOT NULL, created_at INTEGER NOT NULL
  ) STRICT;
  `,
};

export const requestLogStep = {
  readerMin: 2,
  statements: `
  CREATE TABLE requests (
    minute       INTEGER NOT NULL,
    id           TEXT NOT NULL,
    at           INTEGER NOT NULL,
    count        INTEGER NOT NULL,
    key          TEXT,
    owner        TEXT,
    decision     TEXT NOT NULL,
    reason       TEXT,
    body         TEXT NOT NULL,
    PRIMARY KEY (minute, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX requests_by_at ON requests (at, id);
  CREATE INDEX requests_by_key ON requests (key, at, id) WHERE key IS NOT NULL;
  CREATE INDEX requests_by_owner ON requests (owner, at, id) WHERE owner IS NOT NULL;
  CREATE INDEX requests_denied ON requests (at, id) WHERE decision <> 'allow';
  `,
};

/** Older versions go on with the table above, which is read beside these until its rows are past their retention. */
export const requestRowsStep = {
  readerMin: 2,
  statements: `
  CREATE TABLE request_rows (
    at           INTEGER NOT NULL,
    id           TEXT NOT NULL,
    count        INTEGER NOT NULL,
    key          TEXT,
    owner        TEXT,
    decision     TEXT NOT NULL,
    reason       TEXT,
    body         TEXT NOT NULL,
    PRIMARY KEY (at, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE request_blocks (
    start        INTEGER PRIMARY KEY NOT NULL,
    rows         INTEGER NOT NULL
  ) STRICT;
  INSERT INTO request_blocks (start, rows) VALUES (0, 0);
  CREATE TABLE request_subjects (
    block        INTEGER NOT NULL,
    subject      TEXT NOT NULL,
    PRIMARY KEY (block, subject)
  ) STRICT, WITHOUT ROWID;
  `,
};
