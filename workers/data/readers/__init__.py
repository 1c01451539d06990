"""One module per family of formats: each reads an upload whole, and every doubt is a problem with its place."""
