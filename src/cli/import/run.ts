import { z } from 'zod';
import type { Client } from '../calls/client.ts';
import { CommandError, type Io } from '../terminal/command.ts';
import { duration, type Progress } from './progress.ts';
import type { Report } from './report.ts';
import type { ImportRow } from './row.ts';
import type { ImportSource } from './source.ts';
import type { ImportState, Tally } from './state.ts';

export interface ImportRun {
  readonly io: Io;
  readonly client: Client;
  readonly source: ImportSource;
  readonly state: ImportState;
  readonly report: Report;
  readonly progress: Progress;
}

export interface ImportRunOptions {
  /** Rows in one call, 1 to 1000. */
  readonly batchRows: number;
  readonly isDryRun: boolean;
  /** For keys that have none of their own. */
  readonly defaults: Readonly<Record<string, string>>;
}

/** Of the rows of one call, as JSON; the service takes four times as much. */
const batchBytesMax = 1_048_576;
const retryMs = { first: 250, most: 15_000 };
/** Two minutes and a half, all in all. */
const triesMax = 16;

const answer = z.object({
  data: z.object({
    imported: z.int(),
    duplicates: z.array(z.int()),
    failures: z.array(z.object({ index: z.int(), field: z.string(), description: z.string() })),
  }),
});

/** Imports the rows that are not done yet, in their order, and answers how it ended. */
export async function runImport(run: ImportRun, options: ImportRunOptions): Promise<Tally> {
  const { source, state, report, progress } = run;
  let tally = state.before;
  let place = 0;
  let batch = emptyBatch();
  for await (const rows of source.rows) {
    for (const row of rows) {
      place++;
      if (place <= state.before.rows) continue;
      addTo(batch, row, options.defaults);
      if (batch.rows.length >= options.batchRows || batch.bytes >= batchBytesMax) await finish();
    }
  }
  if (batch.rows.length > 0) await finish();
  progress.tell(tally, 1);
  return tally;

  async function finish(): Promise<void> {
    const { rows, keys } = batch;
    const answered = await send(run, keys, options.isDryRun);
    progress.clear();
    const failed = tell(report, rows, answered);
    tally = {
      rows: tally.rows + rows.length,
      imported: tally.imported + answered.imported,
      duplicates: tally.duplicates + answered.duplicates.length,
      failed: tally.failed + failed,
      failureBytes: report.bytes(),
    };
    state.save(tally);
    progress.tell(tally, source.done());
    batch = emptyBatch();
  }
}

interface Batch {
  readonly rows: ImportRow[];
  /** Of those rows that have one, in their order. */
  readonly keys: object[];
  bytes: number;
}

function emptyBatch(): Batch {
  return { rows: [], keys: [], bytes: 0 };
}

function addTo(batch: Batch, row: ImportRow, defaults: ImportRunOptions['defaults']): void {
  batch.rows.push(row);
  if (row.fault !== null) return;
  const key = { ...defaults, ...row.key };
  batch.keys.push(key);
  batch.bytes += Buffer.byteLength(JSON.stringify(key));
}

type Answered = z.output<typeof answer>['data'];

/** Tells of each row that was not taken in, in their order, and counts those that failed. */
function tell(report: Report, rows: readonly ImportRow[], { duplicates, failures }: Answered): number {
  const isDuplicate = new Set(duplicates);
  const faults = new Map(failures.map(({ index, ...fault }) => [index, fault]));
  let index = 0;
  let failed = 0;
  for (const { place, fault: own } of rows) {
    const fault = own ?? faults.get(index);
    if (fault !== undefined) {
      failed++;
      report.failed(place, fault);
    } else if (isDuplicate.has(index)) report.duplicate(place);
    if (own === null) index++;
  }
  return failed;
}

/** Tries again while the service is away, for some minutes. */
async function send({ io, client, progress }: ImportRun, keys: object[], dryRun: boolean): Promise<Answered> {
  if (keys.length === 0) return { imported: 0, duplicates: [], failures: [] };
  const body = { keys, ...(dryRun && { dry_run: true }) };
  for (let tries = 1, waitMs = retryMs.first; ; tries++, waitMs = Math.min(waitMs * 2, retryMs.most)) {
    try {
      return (await client.call(answer, 'POST', '/admin/api-keys:import', body)).data;
    } catch (error) {
      if (!(error instanceof CommandError) || !error.isPassing || tries >= triesMax) throw error;
      progress.clear();
      io.stderr.write(`postern: ${error.lines[0]}; trying again in ${duration(Math.max(1_000, waitMs))}\n`);
    }
    await io.clock.wait(waitMs);
  }
}
