/** The pictures along a search as files. */
import path from 'node:path';
import { writeMask, writePicture } from '../../images/node/write.ts';
import type { Snapshot } from '../record.ts';
import type { WayPicture } from '../way.ts';

/** Written below `stem` in the folder. */
export async function writeWay(folder: string, stem: string, way: readonly WayPicture[]): Promise<Snapshot[]> {
  const snapshots: Snapshot[] = [];
  for (const { step, restored, mask } of way) {
    const file = `${stem}.step${String(step).padStart(5, '0')}`;
    await writePicture(path.join(folder, `${file}.restored.png`), restored);
    await writeMask(path.join(folder, `${file}.mask.png`), mask);
    snapshots.push({ step, restored: `${file}.restored.png`, mask: `${file}.mask.png` });
  }
  return snapshots;
}
