/** A place for pictures: dropped, pasted, chosen, or taken by a camera. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { droppedFiles, pastedFiles } from '../pictures/collect.ts';
import { texts } from '../texts.ts';
import { FileInput } from './file-input.tsx';

interface DropZoneProps {
  readonly title: string;
  readonly hint: string;
  readonly choose: string;
  /** Folders are chosen instead of files. */
  readonly folder?: boolean;
  /** What is pasted anywhere on the page comes here. */
  readonly takesPaste?: boolean;
  readonly onFiles: (files: readonly File[]) => void;
  readonly children?: ComponentChildren;
}

export function DropZone({ title, hint, choose, folder, takesPaste, onFiles, children }: DropZoneProps) {
  const [isOver, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!takesPaste) return;
    const paste = (event: ClipboardEvent) => {
      const files = pastedFiles(event.clipboardData);
      if (files.length > 0) onFiles(files);
    };
    document.addEventListener('paste', paste);
    return () => document.removeEventListener('paste', paste);
  }, [takesPaste, onFiles]);
  useEffect(() => {
    // JSX has no such property.
    if (folder && input.current) input.current.webkitdirectory = true;
  }, [folder]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping has a button beside it for everyone without a mouse
    <div
      class={isOver ? 'drop over' : 'drop'}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        if (event.dataTransfer) void droppedFiles(event.dataTransfer).then(onFiles);
      }}
    >
      <p class="drop-title">{title}</p>
      <p class="drop-hint">{hint}</p>
      <div class="row centred">
        <button type="button" onClick={() => input.current?.click()}>
          {choose}
        </button>
        {children}
      </div>
      <FileInput input={input} label={choose} accept={folder ? undefined : texts.accepted} onFiles={onFiles} />
    </div>
  );
}
