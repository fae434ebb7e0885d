/**
 * Room `cli/`: The command line, and the running service. Here: commands, terminal output, settings read from
 * files and environment, and the wiring of all rooms. Not here: rules that a caller over gRPC or REST would
 * need too.
 */

import {
  closeSync,
  createReadStream,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { httpFetch } from './calls/http-fetch.ts';
import { folders } from './files/folders.ts';
import { run } from './program.ts';
import { fixYoungGenerations, markByOneThread } from './serving/heap.ts';
import type { AppendedFile, Io, Output } from './terminal/command.ts';

/** A terminal sends Ctrl-C to npm and to what npm has started, and npm passes it on: that is one request to end. */
const sameStopMs = process.env.npm_lifecycle_event === undefined ? 0 : 500;

const io: Io = {
  environment: process.env,
  stdout: outputTo(process.stdout),
  stderr: outputTo(process.stderr),
  stdin: process.stdin,
  fetch: httpFetch,
  readFile: (path) => readFileSync(path, 'utf8'),
  readChunks: (path) => createReadStream(path),
  openToAppend,
  fileBytes(path) {
    const file = statSync(path);
    return file.isFile() ? file.size : null;
  },
  replaceFile(path, text) {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  },
  writeFile(path, text, { isNew }) {
    writeFileSync(path, text, { flag: isNew ? 'wx' : 'w' });
  },
  ...folders,
  clock: { now: () => performance.now(), wait: (ms) => setTimeout(ms) },
  onReload(reload) {
    process.on('SIGHUP', reload);
  },
  onStop(stop) {
    let stopsSince: number | null = null;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        const now = performance.now();
        if (stopsSince !== null && now - stopsSince < sameStopMs) return;
        if (stopsSince !== null) process.exit(128 + constants.signals[signal]);
        stopsSince = now;
        stop();
      });
    }
  },
};

const argv = process.argv.slice(2);
if (argv[0] === 'serve') {
  fixYoungGenerations();
  markByOneThread();
}
// The process ends when nothing is left to do: exiting at once could cut off what is still being written.
process.exitCode = await run(argv, io);

/** A reader that goes away, as `head` does, is no failure: what is written after that goes nowhere. */
function outputTo(stream: NodeJS.WriteStream): Output {
  let isClosed = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    isClosed = true;
  });
  return {
    isTTY: stream.isTTY,
    isClosed: () => isClosed,
    write(text) {
      if (!isClosed) stream.write(text);
    },
  };
}

function openToAppend(path: string, bytes: number): AppendedFile {
  const file = openSync(path, 'a');
  ftruncateSync(file, bytes);
  return {
    write(text) {
      let rest = Buffer.from(text);
      while (rest.length > 0) rest = rest.subarray(writeSync(file, rest));
    },
    close: () => closeSync(file),
  };
}
