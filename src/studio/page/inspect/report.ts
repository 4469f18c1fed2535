/** The inspection as one page, made of the parts of `rgi report`. */
import { runPage } from '../../../report/run-page.ts';
import type { OpenedModel, Picture } from '../../engine.ts';
import { encodePicture } from '../pictures/write.ts';
import { texts } from '../texts.ts';
import { byScore, countsOf, type InspectItem, verdictOf } from './items.ts';

/** A self-contained page of HTML. */
export async function reportOf(
  items: readonly InspectItem[],
  limit: number | undefined,
  model: OpenedModel,
): Promise<string> {
  const done = byScore(items).filter(({ result }) => result);
  const counts = countsOf(items, limit);
  const embedded = new Map<string, string>();
  for (const { id, thumbnail } of done) if (thumbnail) embedded.set(fileOf(id), await dataUrl(thumbnail));
  return runPage({
    title: texts.report.title,
    tiles: [
      [texts.report.defective, String(counts.defective)],
      [texts.report.marked, String(counts.marked)],
      [texts.report.good, String(counts.good)],
      [texts.report.pictures, String(items.length)],
    ],
    facts: [
      [texts.report.model, model.name],
      [texts.report.policy, model.policies[0]],
      [texts.report.limit, (limit ?? done[0]?.result?.limit)?.toPrecision(4)],
    ],
    complete: counts.open === 0,
    about: texts.report.about,
    stateLabel: texts.report.verdict,
    columns: [{ key: 'score', label: texts.report.score, digits: 3 }],
    order: texts.report.order,
    pictures: done.map((item) => ({
      name: item.name,
      state: texts.inspect.verdicts[verdictOf(item, limit)],
      marked: verdictOf(item, limit) === 'defective',
      values: { score: item.result?.score },
      thumbs: [{ file: fileOf(item.id), caption: texts.report.picture, alt: item.name }],
    })),
    charts: [],
    notes: [],
    failed: items
      .filter(({ phase }) => phase === 'failed')
      .map(({ name, failure }) => ({ file: name, reason: failure })),
    settings: [],
    embedded,
  });
}

const fileOf = (id: number) => `picture ${id}`;

async function dataUrl(picture: Picture): Promise<string> {
  const blob = await encodePicture(picture, 'image/jpeg');
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
