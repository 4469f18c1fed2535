/** The found region over the picture, and a brush that corrects it: by mouse, finger, pen or keys. */
import { useMemo, useRef, useState } from 'preact/hooks';
import type { Picture, Plane } from '../../engine.ts';
import { Segments } from '../parts/segments.tsx';
import { Slider } from '../parts/slider.tsx';
import { tinted } from '../pictures/planes.ts';
import type { Brush, Stroke } from '../pictures/strokes.ts';
import { texts } from '../texts.ts';
import type { Restorer } from './controller.ts';
import type { RestoreItem } from './items.ts';
import { FOUND_COLOUR, GOOD_COLOUR, Overlaid } from './overlaid.tsx';
import { NO_EDITS, painted, redone, undone } from './strokes.ts';

export interface BrushSettings {
  readonly brush: Brush;
  /** Its radius as a share of the picture's longer side. */
  readonly share: number;
}

interface MaskEditorProps {
  /** As it is shown: every k-th pixel. */
  readonly picture: Picture;
  readonly k: number;
  /** Of the same size. */
  readonly mask: Plane;
  readonly keep: Plane | undefined;
  readonly brush: BrushSettings;
  readonly item: RestoreItem;
  readonly restorer: Restorer;
}

type Point = readonly [x: number, y: number];

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function MaskEditor({ picture, k, mask, keep, brush, item, restorer }: MaskEditorProps) {
  const { width, height } = item.picture;
  const radius = Math.max(0.5, brush.share * Math.max(width, height));
  const [stroke, setStroke] = useState<Stroke | undefined>();
  const [cursor, setCursor] = useState<Point | undefined>();
  const surface = useRef<SVGSVGElement>(null);
  const tint = useMemo(() => tinted(mask, FOUND_COLOUR), [mask]);
  const good = useMemo(() => keep && tinted(keep, GOOD_COLOUR), [keep]);

  const finish = (done: Stroke) => restorer.change(item.id, { edits: painted(item.edits, done) });
  const pointOf = (event: PointerEvent): Point => {
    const box = surface.current?.getBoundingClientRect();
    if (!box) return [0, 0];
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };
  const keyed = (event: KeyboardEvent) => {
    const at = cursor ?? [width / 2, height / 2];
    const arrow = ARROWS[event.key];
    if (arrow) {
      setCursor([clamp(at[0] + arrow[0] * radius, width), clamp(at[1] + arrow[1] * radius, height)]);
    } else if (event.key === ' ' || event.key === 'Enter') {
      setCursor(at);
      finish({ brush: brush.brush, radius, points: [at] });
    } else return;
    event.preventDefault();
  };

  return (
    <figure class="editor">
      <Overlaid picture={picture} tint={tint} label={texts.result.foundLabel} class="hero-picture">
        {good && <Overlaid picture={good} tint={good} label={texts.result.goodLabel} />}
        <svg
          ref={surface}
          class="surface"
          viewBox={`0 0 ${width} ${height}`}
          role="application"
          aria-label={texts.brush.surface}
          tabindex={0}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            setStroke({ brush: brush.brush, radius, points: [pointOf(event)] });
          }}
          onPointerMove={(event) => {
            const point = pointOf(event);
            setCursor(point);
            if (stroke) setStroke({ ...stroke, points: [...stroke.points, point] });
          }}
          onPointerUp={() => {
            if (stroke) finish(stroke);
            setStroke(undefined);
          }}
          onPointerCancel={() => setStroke(undefined)}
          onPointerLeave={() => setCursor(undefined)}
          onKeyDown={keyed}
        >
          {stroke && (
            <polyline
              class={`stroke ${stroke.brush}`}
              points={[...stroke.points, ...stroke.points.slice(-1)].map((point) => point.join(',')).join(' ')}
              strokeWidth={2 * stroke.radius}
            />
          )}
          {cursor && (
            <circle class={`cursor ${brush.brush}`} cx={cursor[0]} cy={cursor[1]} r={radius} strokeWidth={1.5 * k} />
          )}
        </svg>
      </Overlaid>
      <figcaption>
        <span class="key found">{texts.brush.keyFound}</span>
        {keep && <span class="key good">{texts.brush.keyGood}</span>}
        <span class="quiet">{texts.brush.hint}</span>
      </figcaption>
    </figure>
  );
}

interface BrushControlsProps {
  readonly brush: BrushSettings;
  readonly item: RestoreItem;
  readonly restorer: Restorer;
  readonly onChange: (brush: BrushSettings) => void;
}

export function BrushControls({ brush, item, restorer, onChange }: BrushControlsProps) {
  const { edits } = item;
  return (
    <section class="brush" aria-label={texts.brush.title}>
      <p class="label">{texts.brush.title}</p>
      <Segments<Brush>
        label={texts.brush.title}
        name="brush"
        value={brush.brush}
        options={[
          ['hide', texts.brush.hide],
          ['keep', texts.brush.keep],
        ]}
        onChange={(next) => onChange({ ...brush, brush: next })}
      />
      {item.look === 'found' && (
        <Slider
          label={texts.brush.size}
          value={Math.round(200 * brush.share)}
          min={1}
          max={40}
          text={texts.brush.sizeOf(2 * brush.share)}
          onInput={(value) => onChange({ ...brush, share: value / 200 })}
        />
      )}
      {(edits.done.length > 0 || edits.undone.length > 0) && (
        <div class="row">
          <button
            type="button"
            disabled={edits.done.length === 0}
            onClick={() => restorer.change(item.id, { edits: undone(edits) })}
          >
            {texts.brush.undo}
          </button>
          <button
            type="button"
            disabled={edits.undone.length === 0}
            onClick={() => restorer.change(item.id, { edits: redone(edits) })}
          >
            {texts.brush.redo}
          </button>
          <button type="button" class="link" onClick={() => restorer.change(item.id, { edits: NO_EDITS })}>
            {texts.brush.clear}
          </button>
        </div>
      )}
    </section>
  );
}

function clamp(value: number, size: number): number {
  return Math.min(size, Math.max(0, value));
}
