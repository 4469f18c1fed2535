/** What a training run is asked, and what it gives. */
import type { FolderOptions } from '../../datasets/node/folder.ts';
import type { ModelFacts } from '../export.ts';
import type { RunRecord } from '../record.ts';
import type { TrainingSettings } from '../settings.ts';
import type { RunEvent } from './events.ts';

export interface RunOptions {
  readonly folder: string;
  /** The generator's file; the others are named after it. */
  readonly out: string;
  /** Size 64 if not given; in a resumed run all is as it was. */
  readonly data: Partial<FolderOptions>;
  readonly settings?: Partial<TrainingSettings>;
  /** Begin at the principal components (default). */
  readonly linearStart?: boolean;
  /** Go on from the run's last checkpoint, with its settings; without one a new run begins. */
  readonly resume?: boolean;
  /** Pictures held out for measuring; default an eighth, 8 to 64; more where whole groups are kept together. */
  readonly held?: number;
  /** Stop (resumable) after this many minutes. */
  readonly minutes?: number;
  /** Steps between measurements; default a twentieth of all. */
  readonly measureEvery?: number;
  /** Weights on disk in 16 bits. */
  readonly half?: boolean;
  readonly licence?: ModelFacts['licence'];
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

export interface RunResult {
  readonly ended: 'done' | 'interrupted';
  readonly record: RunRecord;
  /** The models' files; none where nothing was measured yet. */
  readonly files: readonly string[];
  /** Could the models of the best measurement be written? */
  readonly written: boolean;
  /** The page of curves and samples; undefined where there is none yet. */
  readonly page?: string;
}
