import { Counter, type Registry } from 'prom-client';
import { type GithubKeysDependencies, reportOutcomes } from '../admin/leaks/github-keys.ts';

export type GithubCounts = GithubKeysDependencies['count'];

/** Counts GitHub's reports of leaked keys, and the fetches of the keys that it signs them by. */
export function createGithubCounts(registers: Registry[]): GithubCounts {
  const fetches = new Counter({
    name: 'postern_github_keys_fetches_total',
    help: "Fetches of GitHub's list of public keys for secret scanning: success or failure.",
    ...{ labelNames: ['result'], registers },
  });
  const reports = new Counter({
    name: 'postern_github_reports_total',
    help: 'Signed reports to POST /leaks/github: taken, refused, or unavailable while the keys could not be fetched.',
    ...{ labelNames: ['result'], registers },
  });
  for (const result of ['success', 'failure']) fetches.inc({ result }, 0);
  for (const result of reportOutcomes) reports.inc({ result }, 0);
  return {
    fetched: (isSuccess) => fetches.inc({ result: isSuccess ? 'success' : 'failure' }),
    reported: (result) => reports.inc({ result }),
  };
}
