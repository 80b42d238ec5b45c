// A collapsible box with a heading, as the Details pane stacks them. Which boxes are closed is remembered per window.
import { ChevronDownIcon, ChevronRightIcon } from "@blueprintjs/icons";
import { type ReactNode, useId } from "react";
import { setPreference, usePreference } from "../app/preferences.ts";
import "./box.css";

interface Props {
  readonly name: string;
  readonly title: string;
  readonly action?: ReactNode;
  readonly children: ReactNode;
}

export function Box({ name, title, action, children }: Props) {
  const closed = usePreference("closedBoxes");
  const open = !closed.includes(name);
  const bodyId = useId();
  const toggle = () =>
    setPreference("closedBoxes", open ? [...closed, name] : closed.filter((other) => other !== name));
  return (
    <section className="box" aria-label={title}>
      <div className="box-head">
        <h3>
          <button type="button" aria-expanded={open} aria-controls={bodyId} onClick={toggle}>
            {open ? <ChevronDownIcon /> : <ChevronRightIcon />}
            {title}
          </button>
        </h3>
        {action}
      </div>
      <div id={bodyId} className="box-body" hidden={!open}>
        {children}
      </div>
    </section>
  );
}

interface RowProps {
  readonly label: string;
  readonly children: ReactNode;
}

/** One line of a box: label and value. */
export function Row({ label, children }: RowProps) {
  return (
    <div className="box-row">
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}
