import { z } from 'zod';
import { settledText } from '../answers/settled-text.ts';
import { type Client, type ConnectionFlags, connect } from '../calls/client.ts';
import { linesOf } from '../files/lines.ts';
import { type AddCommand, CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { printableJson } from '../terminal/output.ts';

interface ReportFlags extends ConnectionFlags {
  readonly file?: string;
  readonly url?: string;
  readonly source?: string;
  readonly json?: boolean;
}

const report = z.object({
  data: z.object({
    received: z.number(),
    effective_at: z.string(),
    unconfirmed_replicas: z.array(z.string()),
  }),
});
type Report = z.output<typeof report>['data'];

const secretBytesMax = 4_096;
/** Secrets that the service takes in one call. */
const batchSize = 1_000;

/** `keys report-leaked`. */
export function reportLeaked(add: AddCommand, io: Io): void {
  const description =
    'Revokes every key among the secrets that are read from standard input, one a line. Says nothing of which ' +
    'of them were keys: the audit log does.';
  add('report-leaked', description, [
    'postern keys report-leaked < found.txt',
    'postern keys report-leaked --file found.txt --url https://example.com/paste/7 --source "paste site"',
  ])
    .option('--file <file>', 'read the secrets from this file')
    .option('--url <url>', 'where they were found')
    .option('--source <text>', 'who found them, or how')
    .option('--json', 'print received, effective_at and unconfirmed_replicas as JSON')
    .action(async (flags: ReportFlags) => {
      const secrets = await readSecrets(io, flags);
      const client = await connect(io, flags);
      const data = await reportAll(client, secrets, flags);
      const what = `${data.received} reported`;
      const text = settledText(what, 'no replica allows any of them that was a key', data);
      io.stdout.write(flags.json ? printableJson(data) : text);
    });
}

async function readSecrets(io: Io, { file, adminKeyFile }: ReportFlags): Promise<string[]> {
  const isStandardInput = file === undefined || file === '-';
  if (isStandardInput && adminKeyFile === '-') {
    throw new CommandError(exitCodes.usage, [
      'standard input cannot hold both the secrets and the admin key',
      'Give the secrets by --file, or the admin key by POSTERN_ADMIN_KEY.',
    ]);
  }
  if (isStandardInput && io.stdin.isTTY) io.stderr.write('Paste the secrets, then press Enter and Ctrl-D:\n');
  const secrets: string[] = [];
  try {
    for await (const { text } of linesOf(isStandardInput ? io.stdin : io.readChunks(file), secretBytesMax)) {
      if (text.trim() !== '') secrets.push(text.trim());
    }
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CommandError(exitCodes.usage, [
      `${file} cannot be read: ${why}`,
      'Name a file with one secret a line.',
    ]);
  }
  if (secrets.length > 0) return secrets;
  throw new CommandError(exitCodes.usage, ['there is no secret to report', 'Give one a line.']);
}

/** All of them, as many in one call as the service takes; the answer holds for all. */
async function reportAll(client: Client, secrets: readonly string[], flags: ReportFlags): Promise<Report> {
  let [received, at] = [0, ''];
  const replicas = new Set<string>();
  for (let start = 0; start < secrets.length; start += batchSize) {
    const keys = secrets
      .slice(start, start + batchSize)
      .map((key) => ({ key, url: flags.url, source: flags.source }));
    const { data } = await client.call(report, 'POST', '/admin/leaked-keys', { keys });
    received += data.received;
    if (data.effective_at > at) at = data.effective_at;
    for (const replica of data.unconfirmed_replicas) replicas.add(replica);
  }
  return { received, effective_at: at, unconfirmed_replicas: [...replicas] };
}
