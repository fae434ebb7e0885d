import { setImmediate } from 'node:timers/promises';

/** How often the event loop comes round for one Check: its bytes, its answer, what a stream does between. */
const turns = 8;

/** Lets whoever waits for the thread go first. For bulk work, between parts of it that each take a few milliseconds. */
export async function yieldToOthers(): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await setImmediate();
}
