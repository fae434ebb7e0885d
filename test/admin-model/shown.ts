import { type EventMark, told } from './ask.ts';

/** An audit event as the contract shows it, without what its chain is made of. */
export function shownEvent(event: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { kind: _, once: __, previous_hash: ___, hash: ____, ...shown } = event;
  return shown;
}

/** The events up to the one that is marked. */
export async function untilTold<Event extends object>(
  events: AsyncIterable<Event>,
  mark: EventMark | undefined,
): Promise<Event[]> {
  const seen: Event[] = [];
  for await (const event of events) {
    seen.push(event);
    if (told(event, mark)) return seen;
  }
  throw new Error('the watch ended before it told of the mark');
}
