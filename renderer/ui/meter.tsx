// A thin bar for a share 0..1. Decoration only: the number stands beside it.
import "./meter.css";

export function Meter({ value }: { readonly value: number }) {
  const share = Math.min(1, Math.max(0, value));
  return (
    <span className="meter" aria-hidden="true">
      <span style={{ width: `${share * 100}%` }} />
    </span>
  );
}
