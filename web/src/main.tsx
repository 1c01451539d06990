import { render } from "preact";
import { App } from "./shell/App";
import { reloadWhenReachable } from "./shell/reload";
import "./shell/theme";
import "./ui/styles/tokens.css";
import "./ui/styles/elements.css";
import "./ui/styles/components.css";
import "./shell/shell.css";

// After an upgrade of the service an open tab asks for pages that are no longer there: it loads itself anew, once.
addEventListener("vite:preloadError", () => void reloadWhenReachable());

render(<App />, document.getElementById("app")!);
