/** HTTP/2 frames (RFC 9113, section 4.1 and 6): as much of them as a gRPC client needs. */
export const frameType = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flag = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const frameHeaderBytes = 9;
export const initialWindowBytes = 65_535;
/** The largest frame that a peer may send to one that has not asked for more. */
export const frameBytesMax = frameHeaderBytes + 16_384;

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export const setting = { headerTableSize: 1, enablePush: 2, streamsMax: 3, initialWindow: 4 } as const;

/** Writes a frame's nine bytes; its payload goes after them. */
export function writeFrameHeader(
  target: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void {
  target.writeUInt32BE((length << 8) | type, at);
  target.writeUInt8(flags, at + 4);
  target.writeUInt32BE(stream, at + 5);
}

/** A whole frame, for the rare ones. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(frameHeaderBytes + payload.length);
  writeFrameHeader(bytes, 0, payload.length, type, flags, stream);
  bytes.set(payload, frameHeaderBytes);
  return bytes;
}

export function windowUpdate(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(frameType.windowUpdate, 0, 0, payload);
}

/** The settings in a SETTINGS frame's payload, by number. */
export function readSettings(payload: Buffer): Map<number, number> {
  const settings = new Map<number, number>();
  for (let at = 0; at + 6 <= payload.length; at += 6) {
    settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  }
  return settings;
}
