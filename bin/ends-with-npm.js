// Ends this process when npm ends, or the Node that has handed over to this one. npm passes SIGTERM on to the shell
// that it may have put in between, which dies of it alone; and nobody passes on a SIGKILL.
import { readFileSync } from 'node:fs';

const EVERY_MS = 200;
const { npm_lifecycle_event: script, POSTERN_HANDED_OVER: handedOverBy } = process.env;

// Not every script of npm's: one may start a service that is to stay.
if (handedOverBy || ['start', 'demo', 'npx'].includes(script)) {
  const parent = handedOverBy ? Number(handedOverBy) : process.ppid;
  const npm = npmBehind(parent);
  const watch = setInterval(() => {
    if (process.ppid === parent && npmBehind(parent) === npm) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, EVERY_MS);
  watch.unref();
}

/** The parent of a shell, which outlives npm. Undefined for what is not a shell, and where there is no /proc. */
function npmBehind(pid) {
  try {
    const [, name, parent] = /\((.*)\) \S+ (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return /^(?:ba|da|a|z|k)?sh$/.test(name) ? parent : undefined;
  } catch {
    return undefined;
  }
}
