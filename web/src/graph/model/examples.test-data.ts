import type { InspectedNetwork, InspectedNode } from "./inspection";

const value = (...shape: (number | string)[]) => ({ shape, dtype: "float32" });

export function node(id: string, kind: string, inputs: string[], more: Partial<InspectedNode> = {}): InspectedNode {
  return { id, kind, inputs, pointer: `/model/nodes/${id}`, output: value("N", 8), parameters: 0, buffers: 0, flops: 8, ...more };
}

export function network(nodes: InspectedNode[], output = nodes.at(-1)!.id): InspectedNetwork {
  return { inputs: { x: value("N", 8) }, nodes, outputs: { y: { node: output, ...value("N", 8) } } };
}

/** A flat transformer: every layer has 22 nodes and two residual sums. */
export function flatTransformer(layers: number): InspectedNetwork {
  const nodes = [node("embed", "Embedding", ["x"], { parameters: 1000 })];
  let before = "embed";
  for (let layer = 0; layer < layers; layer++) {
    const id = (name: string) => `layer${layer}_${name}`;
    const add = (name: string, kind: string, inputs: string[], parameters = 0) => (nodes.push(node(id(name), kind, inputs, { parameters })), id(name));
    const norm = add("norm1", "LayerNorm", [before], 16);
    const heads = ["q", "k", "v"].map((name) => add(`${name}_heads`, "reshape", [add(name, "Linear", [norm], 72)]));
    const scores = add("scores", "matmul", heads.slice(0, 2));
    const scaled = add("scaled", "mul", [scores]);
    const weights = add("drop_a", "Dropout", [add("softmax", "softmax", [scaled])]);
    const mixed = add("joined", "reshape", [add("mixed", "matmul", [weights, heads[2]!])]);
    const sum = add("sum1", "add", [before, add("drop1", "Dropout", [add("out", "Linear", [mixed], 72)])]);
    const wide = add("gelu", "GELU", [add("up", "Linear", [add("norm2", "LayerNorm", [sum], 16)], 288)]);
    before = add("sum2", "add", [sum, add("drop2", "Dropout", [add("down", "Linear", [wide], 264)])]);
  }
  nodes.push(node("scores", "Linear", [before], { parameters: 90 }));
  return network(nodes);
}

/** ResNet-50, flat: bottlenecks of three convolutions in stages of 3, 4, 6 and 3, the first of each with a projection. */
export function flatResNet50(): InspectedNetwork {
  const nodes = [node("conv1", "Conv2d", ["x"], { parameters: 9408 }), node("bn1", "BatchNorm2d", ["conv1"]), node("relu1", "ReLU", ["bn1"]), node("pool1", "MaxPool2d", ["relu1"])];
  let before = "pool1";
  [3, 4, 6, 3].forEach((count, stage) => {
    for (let block = 0; block < count; block++) {
      const add = (name: string, kind: string, inputs: string[], parameters = 0) => {
        const id = `layer${stage + 1}_${block}_${name}`;
        nodes.push(node(id, kind, inputs, { parameters, output: value("N", 64 * 2 ** stage, 56 / 2 ** stage, 56 / 2 ** stage) }));
        return id;
      };
      let branch = before;
      for (const part of [1, 2, 3]) {
        branch = add(`bn${part}`, "BatchNorm2d", [add(`conv${part}`, "Conv2d", [branch], block === 0 ? 2000 : 1000)], 128);
        if (part < 3) branch = add(`relu${part}`, "ReLU", [branch]);
      }
      const skip = block === 0 ? add("down_bn", "BatchNorm2d", [add("down_conv", "Conv2d", [before], 500)], 128) : before;
      before = add("relu3", "ReLU", [add("sum", "add", [branch, skip])]);
    }
  });
  nodes.push(node("pool", "AdaptiveAvgPool2d", [before]), node("flat", "Flatten", ["pool"]), node("fc", "Linear", ["flat"], { parameters: 2_049_000 }));
  return network(nodes);
}
