/** Metrics of restoration and detection. */
export { type Components, type Connectivity, connectedComponents } from '../arrays/components.ts';
export { type AuproOptions, aupro } from './aupro.ts';
export { meanSquaredError, minMaxScaled, psnr, psnrMinMaxScaled, ssim } from './fidelity.ts';
export { type Confusion, confusion, dice, iou } from './overlap.ts';
export { auroc, averagePrecision, type BestDice, diceAtThresholds, oracleDice, paperDice } from './ranking.ts';
