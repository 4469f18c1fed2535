/** Bearer tokens: who may ask, how often, and for how many jobs at a time. Without tokens, whoever reaches the service may ask. */
import { z } from 'zod';
import { messageOf, RgiError } from '../../errors.ts';
import { sha256OfContent } from '../../files/node/hash.ts';
import { MAX_TEXT_BYTES, readRegular } from '../../files/node/regular.ts';
import { HttpError } from '../problem.ts';

const MIN_LENGTH = 16;

const schema = z
  .array(
    z.strictObject({
      /** Stands in the log; never the token. */
      name: z.string().min(1).max(100),
      token: z.string().min(MIN_LENGTH).max(1000),
      /** Jobs queued or computed at a time. */
      jobs: z.number().int().min(1).optional(),
      /** Requests a minute. */
      perMinute: z.number().int().min(1).optional(),
    }),
  )
  .min(1);

export type Token = z.infer<typeof schema>[number];

/** Who sent a request. */
export interface Caller {
  readonly owner: string | undefined;
  readonly mayHave: number | undefined;
}

export interface Gate {
  readonly hasTokens: boolean;
  /** Throws 401 without a valid token, 429 where it was used too often. */
  check(authorization: string | undefined): Caller;
}

/** The tokens of a JSON file: a list of { name, token, jobs?, perMinute? }. */
export async function readTokens(file: string): Promise<Token[]> {
  const text = new TextDecoder().decode(await readRegular(file, MAX_TEXT_BYTES));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RgiError('usage', `${file} is no JSON: ${messageOf(error)}`, { file }, { cause: error });
  }
  const parsed = schema.safeParse(value);
  const fail = (what: string) =>
    new RgiError(
      'usage',
      `${file}: ${what} It is a list of { "name", "token" (${MIN_LENGTH} characters or more), "jobs", "perMinute" }.`,
      { file },
    );
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw fail(`'${path.join('.')}': ${message}.`);
  }
  for (const key of ['name', 'token'] as const) {
    if (new Set(parsed.data.map((one) => one[key])).size < parsed.data.length)
      throw fail(`A ${key} stands there twice.`);
  }
  return parsed.data;
}

export function openGate(
  tokens: readonly Token[] | undefined,
  now: () => number = performance.now.bind(performance),
): Gate {
  // Looked up by hash, so that the time of a comparison says nothing of a token.
  const known = new Map(
    (tokens ?? []).map((token) => [
      sha256OfContent(token.token),
      { token, allowance: token.perMinute ?? 0, seen: now() },
    ]),
  );
  return {
    hasTokens: tokens !== undefined,
    check(authorization) {
      if (!tokens) return { owner: undefined, mayHave: undefined };
      const sent = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
      const entry = sent === undefined ? undefined : known.get(sha256OfContent(sent));
      if (!entry) {
        const what = sent === undefined ? 'No token was sent' : 'The token is not known';
        throw new HttpError(401, `${what}; send the header 'Authorization: Bearer TOKEN'.`);
      }
      const { name, jobs, perMinute } = entry.token;
      if (perMinute !== undefined) {
        // A bucket that is filled evenly and holds a minute's requests.
        const perMs = perMinute / 60_000;
        const at = now();
        entry.allowance = Math.min(perMinute, entry.allowance + (at - entry.seen) * perMs);
        entry.seen = at;
        if (entry.allowance < 1) {
          const retryAfter = Math.ceil((1 - entry.allowance) / perMs / 1000);
          throw new HttpError(429, `Your token may be used ${perMinute} times a minute. Try again later.`, {
            retryAfter,
          });
        }
        entry.allowance--;
      }
      return { owner: name, mayHave: jobs };
    },
  };
}
