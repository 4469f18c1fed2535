/** A labelled slider with its value in words beside it. */

interface SliderProps {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  /** The value in words, seen and read aloud. */
  readonly text: string;
  readonly hint?: string;
  readonly onInput: (value: number) => void;
}

export function Slider({ label, value, min, max, step = 1, text, hint, onInput }: SliderProps) {
  return (
    <label class="slider">
      <span class="slider-head">
        <span>{label}</span>
        <span class="slider-value">{text}</span>
      </span>
      <input
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-label={label}
        aria-valuetext={text}
        onInput={(event) => onInput(Number(event.currentTarget.value))}
      />
      {hint && <span class="hint">{hint}</span>}
    </label>
  );
}
