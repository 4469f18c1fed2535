/** Inspection of one picture by a policy, at the picture's own size. */
import { regionsOf } from '../../detect/defects.ts';
import type { Inspector } from '../../detect/inspector.ts';
import type { Policy } from '../../detect/policy.ts';
import { verdictOf } from '../../detect/verdict.ts';
import { scaleOf } from '../../images/own-size/frame.ts';
import { bytesAtOwnSize } from '../../images/own-size/maps.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { float32 } from '../../onnx/tensor.ts';
import type { InspectResult, Picture } from '../engine.ts';
import { seenPicture } from './pictures.ts';

/** The byte of a map that is at the limit of a pixel. */
const AT_LIMIT = 128;

export async function inspectPicture(
  picture: Picture,
  generator: Generator,
  policy: Policy,
  inspector: Inspector,
): Promise<InspectResult> {
  const began = performance.now();
  const seen = seenPicture(picture, generator, 'cover');
  const [{ map, score, defective }] = await inspector.inspect([seen.image]);
  const { frame } = seen.view;
  const size = { width: picture.width, height: picture.height };
  const { pixel, image } = policy.thresholds;
  const levels = bytesAtOwnSize(map, frame, size, AT_LIMIT / pixel);
  const own = float32(Float32Array.from(levels), [1, 1, size.height, size.width]);
  const leastArea = Math.max(1, Math.round(policy.leastArea * scaleOf(frame) ** 2));
  const { mask, defects } = regionsOf(own, AT_LIMIT, leastArea, defective);
  return {
    score,
    limit: image,
    verdict: verdictOf(defective, defects.length),
    map: { ...size, data: levels },
    mask: { ...size, data: Uint8Array.from(mask.data, (on) => 255 * on) },
    regions: defects.map(({ left, top, width, height, peak }) => ({
      x: left,
      y: top,
      width,
      height,
      score: (peak * pixel) / AT_LIMIT,
    })),
    seconds: (performance.now() - began) / 1000,
  };
}
