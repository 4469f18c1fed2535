/** The list of inspected pictures as CSV. */
import { csvText } from '../../../jobs/document.ts';
import { byScore, type InspectItem, verdictOf } from './items.ts';

const COLUMNS = ['name', 'score', 'limit', 'verdict', 'decided_by', 'regions', 'message'];

/** One line a picture, the highest score first. */
export function csvOf(items: readonly InspectItem[], limit: number | undefined): string {
  const rows = byScore(items).map((item) => {
    const { name, result, decision, failure } = item;
    return [
      name,
      result?.score ?? '',
      result ? (limit ?? result.limit) : '',
      verdictOf(item, limit),
      decision ? 'person' : 'score',
      result?.regions.length ?? '',
      failure,
    ];
  });
  return csvText([COLUMNS, ...rows]);
}
