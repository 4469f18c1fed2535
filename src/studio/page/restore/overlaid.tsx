/** A picture with a tint over it, both filling the same place. */
import type { ComponentChildren } from 'preact';
import type { Picture } from '../../engine.ts';
import { PictureCanvas } from '../pictures/canvas.tsx';

/** Of what is found damaged, red; of what the user says is good, green-blue. */
export const FOUND_COLOUR = [224, 64, 40] as const;
export const GOOD_COLOUR = [0, 150, 136] as const;

interface OverlaidProps {
  readonly picture: Picture;
  readonly tint: Picture;
  readonly label: string;
  readonly class?: string;
  readonly children?: ComponentChildren;
}

export function Overlaid({ picture, tint, label, class: className = '', children }: OverlaidProps) {
  return (
    <div class={`overlaid ${className}`}>
      <PictureCanvas picture={picture} label={label} />
      <PictureCanvas picture={tint} />
      {children}
    </div>
  );
}
