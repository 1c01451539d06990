interface Props {
  after: string | null; // the last item of the page before
  next: string | null; // the last item of this page; null if there are no more
  onChange: (after: string | null) => void;
}

/** Goes to older items, and back to the newest. */
export function Paging({ after, next, onChange }: Props) {
  if (after === null && next === null) return null;
  return (
    <nav class="row paging" aria-label="Pages of the list">
      <button type="button" disabled={after === null} onClick={() => onChange(null)}>Newest</button>
      <button type="button" disabled={next === null} onClick={() => onChange(next)}>Older</button>
    </nav>
  );
}
