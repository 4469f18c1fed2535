/** How far a piece of work is, and how long it will take. */
import { texts } from '../texts.ts';

interface MeterProps {
  readonly label: string;
  /** 0 to 1. */
  readonly share: number;
  readonly secondsLeft?: number;
}

export function Meter({ label, share, secondsLeft }: MeterProps) {
  return (
    <div class="meter">
      <div class="meter-head">
        <span>{label}</span>
        <span class="quiet">{secondsLeft === undefined ? '' : texts.secondsLeft(secondsLeft)}</span>
      </div>
      <progress aria-label={label} max={1} value={share} />
    </div>
  );
}
