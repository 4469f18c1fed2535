/** Damage for the examples: strokes of ink over a good picture, so that a stranger sees what a restoration does. */
import type { Picture } from '../../engine.ts';
import { pixelsOf } from './read.ts';
import { imageDataOf } from './write.ts';

const INKS = ['#1b1b1f', '#c22f2f', '#f4f0e6', '#2f56b8'];

/** The same picture with a stroke and a blot; `variant` decides where and in which colour. */
export function damaged(picture: Picture, variant: number): Picture {
  const { width, height } = picture;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (!context) return picture;
  context.putImageData(imageDataOf(picture), 0, 0);
  context.strokeStyle = INKS[variant % INKS.length];
  context.fillStyle = context.strokeStyle;
  context.lineWidth = Math.max(2, width / 16);
  context.lineCap = 'round';
  const at = (x: number, y: number) => [x * width, y * height] as const;
  const flip = variant % 2 === 0 ? 0 : 1;
  context.beginPath();
  context.moveTo(...at(Math.abs(flip - 0.28), 0.3));
  context.bezierCurveTo(...at(0.35, 0.5), ...at(0.55, 0.3), ...at(Math.abs(flip - 0.75), 0.62));
  context.stroke();
  context.beginPath();
  context.arc(...at(Math.abs(flip - 0.36), 0.74), width / 13, 0, 2 * Math.PI);
  context.fill();
  return pixelsOf(picture.name, canvas, width, height);
}
