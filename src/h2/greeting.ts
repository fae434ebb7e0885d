import type { Bounds } from './bounds.ts';
import { initialWindowBytes, setting, settingsFrame, windowUpdate } from './frame.ts';

/** The first that is sent: what this server takes. */
export function greeting(bounds: Bounds): Buffer {
  const { streamsMax, streamWindowBytes, headerListBytesMax, connectionWindowBytes } = bounds;
  const settings = settingsFrame([
    [setting.streamsMax, streamsMax],
    [setting.initialWindow, streamWindowBytes],
    [setting.headerListMax, headerListBytesMax],
  ]);
  return Buffer.concat([settings, windowUpdate(0, connectionWindowBytes - initialWindowBytes)]);
}
