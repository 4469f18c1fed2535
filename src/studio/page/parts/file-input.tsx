/** The browser's own dialog for files, opened by a button beside it. */
import type { RefObject } from 'preact';

interface FileInputProps {
  readonly input: RefObject<HTMLInputElement | null>;
  readonly label: string;
  /** Suffixes and types that are offered; default all. */
  readonly accept?: string;
  readonly onFiles: (files: readonly File[]) => void;
}

export function FileInput({ input, label, accept, onFiles }: FileInputProps) {
  return (
    <input
      ref={input}
      type="file"
      hidden
      multiple
      accept={accept}
      aria-label={label}
      onChange={(event) => {
        const files = [...(event.currentTarget.files ?? [])];
        // The same file may be chosen again.
        event.currentTarget.value = '';
        if (files.length > 0) onFiles(files);
      }}
    />
  );
}
