"""From a module to a recorded graph: inputs on which it runs, every operation with its values, writes made explicit."""
