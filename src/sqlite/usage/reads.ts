import type { DatabaseSync } from 'node:sqlite';

/** Rows that are read before others have the thread: some milliseconds. */
export const rowsAtOnce = 5_000;
/** Rows of which those alone are read that come first. */
const rankedAtOnce = 20_000;

/** How sums and hours are read, a slice at a time. */
export function prepareReads(database: DatabaseSync) {
  const columns = 'start, owner, item, allowed, denials, denied, observed';
  const after = 'kind = ? AND (start, owner, item) > (?, ?, ?)';
  const hour = 'hour AS start, key AS item, allowed, denied, observed';
  const hoursAfter = '(hour, key) > (?, ?)';
  /** Nothing was denied. */
  const isPlain = "denied = '{}' AND observed = '{}'";
  const bestBy = (column: string) =>
    database.prepare(
      `SELECT ${columns} FROM usage_sums WHERE ${after} AND (start, owner, item) <= (?, ?, ?) AND ${column} >= ?`,
    );
  return {
    slice: database.prepare(
      `SELECT ${columns} FROM usage_sums WHERE ${after} AND start < ? ORDER BY start, owner, item LIMIT ${rowsAtOnce}`,
    ),
    sliceOfOwner: database.prepare(
      `SELECT ${columns} FROM usage_sums WHERE kind = ? AND start = ? AND owner = ? AND item > ?
       ORDER BY item LIMIT ${rowsAtOnce}`,
    ),
    ends: database.prepare(
      `SELECT start, owner, item FROM usage_sums WHERE ${after} AND start < ?
       ORDER BY start, owner, item LIMIT 1 OFFSET ${rankedAtOnce - 1}`,
    ),
    best: { allowed: bestBy('allowed'), denials: bestBy('denials') },
    hours: database.prepare(
      `SELECT ${hour} FROM usage_hours WHERE (hour, key) > (?, ?) AND hour < ? ORDER BY hour, key LIMIT ${rowsAtOnce}`,
    ),
    // What many hours of a key are together, where nothing asks for the hours themselves.
    hourEnds: database.prepare(
      `SELECT hour AS start, key AS item FROM usage_hours WHERE ${hoursAfter} AND hour < ?
       ORDER BY hour, key LIMIT 1 OFFSET ${rankedAtOnce - 1}`,
    ),
    plainHours: database.prepare(
      `SELECT min(hour) AS start, key AS item, sum(allowed) AS allowed, denied, observed FROM usage_hours
       WHERE ${hoursAfter} AND (hour, key) <= (?, ?) AND ${isPlain} GROUP BY key`,
    ),
    otherHours: database.prepare(
      `SELECT ${hour} FROM usage_hours WHERE ${hoursAfter} AND (hour, key) <= (?, ?) AND NOT (${isPlain})`,
    ),
    hoursOfKey: database.prepare(`SELECT ${hour} FROM usage_hours WHERE hour = ? AND key = ?`),
    nextHour: database.prepare('SELECT min(hour) AS hour FROM usage_hours WHERE hour > ?'),
    sumOfKey: database.prepare(
      `SELECT ${columns} FROM usage_sums WHERE kind = ? AND start = ? AND owner = '' AND item = ?`,
    ),
    ownedKeys: database.prepare(
      `SELECT key FROM usage_keys WHERE owner = ? AND key > ? ORDER BY key LIMIT ${rowsAtOnce}`,
    ),
  };
}
