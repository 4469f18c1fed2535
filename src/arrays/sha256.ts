/** SHA-256 where there is no `node:crypto`. */

/** Of bytes, in hexadecimal. Needs `crypto.subtle`, which browsers have on pages from https or localhost. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes)));
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
