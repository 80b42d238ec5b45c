// A part of the window that fails does not take the rest along: it says so, with a way to try again, and the machines go on.
import { Button } from "@blueprintjs/core";
import { Component, type ReactNode } from "react";
import { i18n } from "../i18n/index.ts";

interface Props {
  readonly children: ReactNode;
}

interface State {
  readonly message: string | null;
}

export class ErrorBoundary extends Component<Props, State> {
  override state: State = { message: null };

  static getDerivedStateFromError(error: unknown): State {
    return { message: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    if (this.state.message === null) return this.props.children;
    return (
      <div className="pane-message" role="alert">
        <h2>{i18n.t("failure.part")}</h2>
        <p className="muted">{i18n.t("failure.partBody")}</p>
        <p className="mono selectable">{this.state.message}</p>
        <div>
          <Button text={i18n.t("failure.again")} onClick={() => this.setState({ message: null })} />
        </div>
      </div>
    );
  }
}
