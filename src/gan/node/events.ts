/** What a training run reports while it works. */
import type { BrokenPicture } from '../../datasets/node/folder.ts';
import type { CoveragePoint } from '../record.ts';
import type { StepLosses } from '../trainer.ts';

export type RunEvent =
  | { readonly kind: 'loading'; readonly done: number; readonly total: number }
  | { readonly kind: 'screening'; readonly share: number }
  | { readonly kind: 'broken'; readonly picture: BrokenPicture }
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly steps: number;
      readonly secondsLeft: number;
      readonly losses: StepLosses;
    }
  | { readonly kind: 'coverage'; readonly point: CoveragePoint; readonly best: boolean; readonly secondsLeft: number }
  | { readonly kind: 'note'; readonly text: string };

export type Tell = (event: RunEvent) => void;
