import { preface, protocolError } from './frame.ts';

/** The first that a client sends (RFC 9113, section 3.4). */
export class Preface {
  #matched = 0;

  /** Where in the chunk frames begin: its end, where the preface does not end in it. Throws at anything else. */
  read(chunk: Buffer): number {
    if (this.#matched === preface.length) return 0;
    let at = 0;
    for (; this.#matched < preface.length && at < chunk.length; at++) {
      if (chunk[at] !== preface[this.#matched++]) throw protocolError('no HTTP/2 preface');
    }
    return at;
  }
}
