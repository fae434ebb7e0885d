/** Prints what CHANGELOG.md says of a release: `node scripts/release-notes.ts 0.1.0`. Fails where it says nothing. */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const version = process.argv[2] ?? '';
  const notes = releaseNotes(readFileSync('CHANGELOG.md', 'utf8'), version);
  if (notes === null) {
    console.error(
      `CHANGELOG.md says nothing of ${version || 'a release without a version'}, or calls it unreleased`,
    );
    process.exit(1);
  }
  process.stdout.write(notes);
}

/** The text below `## VERSION – DATE`, to the next release; null where there is none with a date. */
export function releaseNotes(changelog: string, version: string): string | null {
  const parts = changelog.split(/^## /m).slice(1);
  const part = parts.find((text) => text.startsWith(`${version} – `));
  if (part === undefined || !/^\S+ – \d{4}-\d\d-\d\d\n/.test(part)) return null;
  const notes = part.slice(part.indexOf('\n')).trim();
  return notes === '' ? null : `${notes}\n`;
}
