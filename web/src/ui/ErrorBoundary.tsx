import { Component, type ComponentChildren } from "preact";
import { Problems } from "./Message";

interface Props {
  children: ComponentChildren;
  place?: string; // at another one what is inside is shown again
}

/** Shows an error of what is inside it, so that the rest of the page goes on. */
export class ErrorBoundary extends Component<Props, { error?: unknown }> {
  override state: { error?: unknown } = {};

  override componentDidCatch(error: unknown): void {
    console.error(error);
    this.setState({ error });
  }

  override componentDidUpdate(before: Props): void {
    if (before.place !== this.props.place && this.state.error !== undefined) this.setState({ error: undefined });
  }

  render() {
    if (this.state.error === undefined) return this.props.children;
    return <Problems error={this.state.error} retry={() => this.setState({ error: undefined })} />;
  }
}
