import { Component, type ComponentChildren } from "preact";
import { Problems } from "./Message";

/** Shows an error of what is inside it, so that the rest of the page goes on. */
export class ErrorBoundary extends Component<{ children: ComponentChildren }, { error?: unknown }> {
  override state: { error?: unknown } = {};

  override componentDidCatch(error: unknown): void {
    console.error(error);
    this.setState({ error });
  }

  render() {
    if (this.state.error === undefined) return this.props.children;
    return <Problems error={this.state.error} retry={() => this.setState({ error: undefined })} />;
  }
}
