/** Jobs to begin with. They are those of the folder `examples/`, which the tests train; their data ship with the service. */
export interface Example {
  name: string; // in the address: /jobs/new?example=NAME
  title: string;
  description: string;
  load: () => Promise<string>; // the text of the spec, as it was written
}

const text = (module: Promise<{ default: string }>): Promise<string> => module.then((each) => each.default);

export const EXAMPLES: readonly Example[] = [
  {
    name: "digits-cnn",
    title: "Handwritten digits",
    description: "A small convolutional network on 1,797 pictures of digits; about 99 % right.",
    load: () => text(import("virtual:example/digits-cnn")),
  },
  {
    name: "fully-connected",
    title: "Wines from their chemistry",
    description: "Two layers on a table of 13 numbers and three classes: the smallest thing that learns.",
    load: () => text(import("virtual:example/fully-connected")),
  },
  {
    name: "linear-regression",
    title: "A line through numbers",
    description: "Linear regression on medical measurements: one layer, squared error, plain gradient descent.",
    load: () => text(import("virtual:example/linear-regression")),
  },
  {
    name: "early-stop",
    title: "Stop when it no longer improves",
    description: "A fully connected network that ends by itself when the held-out loss stays where it is.",
    load: () => text(import("virtual:example/early-stop")),
  },
  {
    name: "residual-cnn",
    title: "Residual blocks",
    description: "One block, defined once and used three times, each with weights of its own.",
    load: () => text(import("virtual:example/residual-cnn")),
  },
  {
    name: "own-gru",
    title: "A recurrent cell of your own",
    description: "A GRU from raw operations, which reads a digit row by row.",
    load: () => text(import("virtual:example/own-gru")),
  },
  {
    name: "mixture-of-experts",
    title: "A mixture of experts",
    description: "A gate sends each example to one of four networks: control flow that depends on the data.",
    load: () => text(import("virtual:example/mixture-of-experts")),
  },
  {
    name: "early-exit",
    title: "Early exit",
    description: "A sure first guess skips the rest of the network.",
    load: () => text(import("virtual:example/early-exit")),
  },
  {
    name: "adaptive-computation",
    title: "As many turns as it takes",
    description: "A loop that ponders each digit until it is sure, at most ten times.",
    load: () => text(import("virtual:example/adaptive-computation")),
  },
  {
    name: "cartpole-ppo",
    title: "A pole that is kept upright",
    description: "Reinforcement learning: a network that learns from what its own pushes bring about, by PPO.",
    load: () => text(import("virtual:example/rl/cartpole-ppo")),
  },
  {
    name: "pendulum-sac",
    title: "A pendulum that is swung up",
    description: "Soft actor-critic, from a buffer of what the network has tried before.",
    load: () => text(import("virtual:example/rl/pendulum-sac")),
  },
  {
    name: "pendulum-dynamics",
    title: "An environment of your own",
    description: "The pendulum's equations as nodes: no code, and many copies at once.",
    load: () => text(import("virtual:example/rl/pendulum-dynamics")),
  },
  {
    name: "raw-two-layers",
    title: "Two layers by hand",
    description: "Parameters, products and a sigmoid, without any ready-made layer, on irises.",
    load: () => text(import("virtual:example/raw-two-layers")),
  },
];
