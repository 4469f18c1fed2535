/** What a training run is asked, and what it gives. */
import type { FolderOptions } from '../../datasets/node/folder.ts';
import type { ModelFacts } from '../export.ts';
import type { RunRecord } from '../record.ts';
import type { TrainingSettings } from '../settings.ts';
import type { RunEvent } from './events.ts';

/** What `trainFolder` is given. */
export interface RunOptions {
  /** Folder of good pictures. */
  readonly folder: string;
  /** The generator's file; the others are named after it. */
  readonly out: string;
  /** Size 64 if not given; in a resumed run all is as it was. */
  readonly data?: Partial<FolderOptions>;
  /** Architecture, sizes, rates, steps; defaults as `rgi train` has them. */
  readonly settings?: Partial<TrainingSettings>;
  /** Begin at the principal components (default). */
  readonly linearStart?: boolean;
  /** Go on from the run's last checkpoint, with its settings; without one a new run begins. */
  readonly resume?: boolean;
  /** Pictures held out for measuring; default an eighth, 8 to 64, at most half; more where whole groups are kept together. */
  readonly held?: number;
  /** Stop (resumable) after this many minutes. */
  readonly minutes?: number;
  /** Steps between measurements; default a twentieth of all. */
  readonly measureEvery?: number;
  /** Weights on disk in 16 bits. */
  readonly half?: boolean;
  /** Licence and attribution of the pictures, written into the model's metadata. */
  readonly licence?: ModelFacts['licence'];
  /** Aborting stops the run at the next step, with a checkpoint from which it can be resumed. */
  readonly signal?: AbortSignal;
  /** Called with what happens: data read, steps made, measurements, files written. */
  readonly onEvent?: (event: RunEvent) => void;
}

/** What `trainFolder` has made. */
export interface RunResult {
  /** 'interrupted': stopped by the signal or the time limit; resumable from its checkpoint. */
  readonly ended: 'done' | 'interrupted';
  /** Settings, losses and measurements, as `training.json` holds them. */
  readonly record: RunRecord;
  /** The models' files; none where nothing was measured yet. */
  readonly files: readonly string[];
  /** Could the models of the best measurement be written? */
  readonly written: boolean;
  /** The page of curves and samples; undefined where there is none yet. */
  readonly page?: string;
}
