// Renaming in place: Enter or leaving the field saves, Escape keeps the old text, an empty text is never saved.
import { useEffect, useRef, useState } from "react";
import "./inline-edit.css";

interface Props {
  readonly value: string;
  readonly label: string;
  onSave(text: string): void;
  onCancel(): void;
}

export function InlineEdit({ value, label, onSave, onCancel }: Props) {
  const [text, setText] = useState(value);
  const input = useRef<HTMLInputElement>(null);
  const done = useRef(false);
  useEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const finish = (save: boolean) => {
    if (done.current) return;
    done.current = true;
    const trimmed = text.trim();
    if (save && trimmed && trimmed !== value) onSave(trimmed);
    else onCancel();
  };
  return (
    <input
      ref={input}
      className="inline-edit"
      aria-label={label}
      value={text}
      maxLength={128}
      onChange={(event) => setText(event.target.value)}
      onBlur={() => finish(true)}
      onMouseDown={(event) => event.stopPropagation()}
      onKeyDown={(event) => {
        // Space, arrows and Delete belong to the text here, not to the list around it.
        event.stopPropagation();
        if (event.key === "Enter") finish(true);
        if (event.key === "Escape") finish(false);
      }}
    />
  );
}
