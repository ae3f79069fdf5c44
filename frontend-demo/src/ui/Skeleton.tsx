/** Shown in place of content that is loading. */
export function Skeleton({ label }: { label: string }) {
  return (
    <div className="skeleton" role="status">
      <span className="unseen">Loading {label.toLowerCase()}…</span>
      <i />
      <i />
      <i />
    </div>
  );
}
