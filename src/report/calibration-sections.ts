/** What a detection page says of the policy's good pictures: the limit at other rates of false alarms, and the oddest of them. */
import { calibrationFacts, limitsAtRates } from '../detect/calibration-facts.ts';
import type { PolicySettings } from '../detect/policy.ts';
import { html } from '../pages/html.ts';
import type { Section } from '../pages/shell.ts';
import { numberCell, percent, table, tableRow } from '../pages/table.ts';

/** A policy as a manifest holds it. */
interface StatedPolicy {
  readonly thresholds: PolicySettings['thresholds'];
  readonly calibration?: PolicySettings['calibration'];
}

/** None for policies of earlier versions, which do not hold what is shown. */
export function calibrationSections(
  { thresholds, calibration }: StatedPolicy,
  pictures: readonly { readonly score?: number }[],
): Section[] {
  if (!calibration) return [];
  const { goodScores, oddest } = calibrationFacts({ calibration });
  if (goodScores.length === 0) return [];
  const above = (limit: number) => pictures.filter(({ score = Number.NEGATIVE_INFINITY }) => score > limit).length;
  const rates = table({
    name: 'Limits at other rates',
    about: `The limit comes from ${goodScores.length} good pictures, each scored without itself. At another rate of false alarms it would be as below; 'rgi calibrate --false-alarms RATE' sets it.`,
    head: ['Good pictures called defective', 'Limit', `Of these ${pictures.length} pictures defective`],
    rows: limitsAtRates(goodScores).map(({ rate, limit }) =>
      tableRow(percent(rate), [
        numberCell(limit, limit.toPrecision(3)),
        numberCell(above(limit), String(above(limit))),
      ]),
    ),
  });
  const odd = table({
    name: 'The oddest good pictures',
    about:
      'Look at these pictures of the training folder. If one of them is defective, take it out and calibrate again: the limit falls.',
    head: ['Good picture', 'Score', 'Above the limit'],
    rows: oddest.map(({ name, score }) =>
      tableRow(name, [
        numberCell(score, score.toPrecision(3)),
        numberCell(Number(score > thresholds.image), score > thresholds.image ? 'yes' : 'no'),
      ]),
    ),
  });
  return [
    {
      id: 'limits',
      title: 'The limit, and the good pictures behind it',
      short: 'Limit',
      content: html`${rates}${odd}`,
    },
  ];
}
