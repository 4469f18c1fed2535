/** Pictures as they come in: a raw body, or the fields of a form. Nothing is decoded here. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HttpError } from '../problem.ts';

/** What a request brought. */
export interface Intake {
  readonly masked: boolean;
  /** The text fields of a form. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Reads the body of at most `maxBytes`. Throws 413 beyond. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new HttpError(413, `The body has more than ${maxBytes} bytes, the most that is read here. Send a smaller picture.`);
  const declared = Number(request.headers.get('content-length') ?? 0);
  if (declared > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  if (reader) {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw new HttpError(400, 'The body was cut short.', {}, { cause: error });
      });
      if (done) break;
      length += value.length;
      if (length > maxBytes) {
        await reader.cancel().catch(() => undefined);
        throw tooLarge();
      }
      chunks.push(value);
    }
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** Writes the picture, and the mask where one is given, into `folder`. Throws 400, 413 or 415. */
export async function takePicture(request: Request, folder: string, maxBytes: number): Promise<Intake> {
  const type = request.headers.get('content-type') ?? '';
  const bytes = await readBody(request, maxBytes);
  if (!/^multipart\/form-data/i.test(type)) {
    if (/^(text|application\/(json|xml|x-www-form-urlencoded))\b/i.test(type)) {
      throw new HttpError(
        415,
        `A body of ${type.split(';')[0]} is no picture. Send the bytes of a picture file, or a form (multipart/form-data) with the field 'image'.`,
      );
    }
    if (bytes.length === 0) throw new HttpError(400, 'The body is empty; send the bytes of a picture file.');
    await writeFile(path.join(folder, 'picture'), bytes);
    return { masked: false, fields: {} };
  }
  const form = await new Response(bytes, { headers: { 'content-type': type } }).formData().catch(() => {
    throw new HttpError(400, 'The form is damaged: it is not multipart/form-data, or it was cut short.');
  });
  const fields: Record<string, string> = {};
  const files: Record<string, File> = {};
  for (const [name, value] of form) {
    if (name in fields || name in files) throw new HttpError(400, `The field '${name.slice(0, 100)}' is given twice.`);
    if (typeof value === 'string') fields[name] = value;
    else files[name] = value;
  }
  const { image, mask, ...others } = files;
  const [other] = Object.keys(others);
  if (other !== undefined)
    throw new HttpError(400, `The form has no file field '${other.slice(0, 100)}'; it has 'image' and 'mask'.`);
  if (!image || image.size === 0) throw new HttpError(400, "The form needs a picture in its file field 'image'.");
  await writeFile(path.join(folder, 'picture'), new Uint8Array(await image.arrayBuffer()));
  if (mask) await writeFile(path.join(folder, 'mask'), new Uint8Array(await mask.arrayBuffer()));
  return { masked: mask !== undefined, fields };
}
