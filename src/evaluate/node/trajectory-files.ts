/** The pictures along a search as files. */
import { maskToImage } from '../../images/image.ts';
import { encodePng } from '../../images/node/write.ts';
import type { OutputSet } from '../../jobs/job.ts';
import type { Snapshot } from '../record.ts';
import type { TrajectoryPicture } from '../trajectory.ts';

/** Puts them below `stem`. */
export async function putTrajectory(
  outputs: OutputSet,
  stem: string,
  trajectory: readonly TrajectoryPicture[],
): Promise<Snapshot[]> {
  const snapshots: Snapshot[] = [];
  for (const { step, restored, mask } of trajectory) {
    const file = `${stem}.step${String(step).padStart(5, '0')}`;
    await outputs.put(`${file}.restored.png`, await encodePng(restored));
    await outputs.put(`${file}.mask.png`, await encodePng(maskToImage(mask)));
    snapshots.push({ step, restored: `${file}.restored.png`, mask: `${file}.mask.png` });
  }
  return snapshots;
}
