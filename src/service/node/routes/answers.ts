/** What several routes answer in the same form. */
import type { JobAnswer } from '../../schemas.ts';
import type { Job } from '../desk.ts';

/** A job as clients see it. */
export function jobAnswer(job: Job): JobAnswer {
  const { id, kind, model, state, created, progress, record, stages, problem } = job;
  const self = `/v1/jobs/${id}`;
  return {
    id,
    kind,
    model,
    state,
    created: created.toISOString(),
    progress: { ...progress },
    files: Object.fromEntries(job.files.map((name) => [name, `${self}/files/${name}`])),
    links: { self, events: `${self}/events` },
    ...(record ? { record: withoutPaths(record) } : {}),
    ...(stages ? { stages: { ...stages } } : {}),
    ...(problem ? { problem } : {}),
  };
}

/** Where the picture lay meanwhile is of no use to anyone. */
function withoutPaths(record: NonNullable<Job['record']>): NonNullable<JobAnswer['record']> {
  const { path: _, files: __, name: ___, ...rest } = record;
  return rest;
}
