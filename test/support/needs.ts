/** The title of tests that need something of the machine: where it is absent, and they are skipped, it says so. */
export function needs(present: boolean, absence: string, title: string): string {
  return present ? title : `${title} (${absence})`;
}
