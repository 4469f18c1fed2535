/** An error in words, at the place where it belongs. */

interface FailureProps {
  /** '' where nothing is wrong. */
  readonly sentence: string;
  readonly onDismiss?: () => void;
  readonly dismissLabel?: string;
}

export function Failure({ sentence, onDismiss, dismissLabel = '' }: FailureProps) {
  // The element is always there: screen readers announce what appears in it.
  return (
    <div role="alert" class={sentence ? 'failure' : 'failure none'}>
      {sentence && <p>{sentence}</p>}
      {sentence && onDismiss && (
        <button type="button" class="plain" aria-label={dismissLabel} onClick={onDismiss}>
          ×
        </button>
      )}
    </div>
  );
}
