"""Pendulum by SAC and TD3 as somebody writes them by hand in plain PyTorch: what its own speed allows.

Nothing is there but the algorithm: no records, checkpoints, evaluations or commands. What makes plain PyTorch faster is
used: fused optimizers, targets without a graph, gradients of no other parameters than those that are trained, averages
by one call for all tensors, and one tensor for all columns of the buffer.
"""

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import gymnasium
import numpy as np
import torch
from pendulum_settings import BATCH, ENVIRONMENT, EPISODES, EXPLORATION_NOISE, GAMMA, LR, START_STEPS, TAU, WIDTHS
from torch import Tensor, nn
from torch.nn import functional

OBSERVATION, ACTION, HIGH = 3, 1, 2.0  # sizes, and the largest action
TARGET_NOISE, NOISE_CLIP, POLICY_DELAY = 0.2, 0.5, 2
LOG_STD_RANGE = (-20.0, 2.0)


def perceptron(inputs: int, outputs: int) -> nn.Sequential:
    """Return a network of the benchmark's widths."""
    sizes = (inputs, *WIDTHS)
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))


def fused_adam(parameters: Sequence[Tensor]) -> torch.optim.Adam:
    """Return torch's fastest Adam."""
    return torch.optim.Adam(parameters, LR, fused=True)


class Learner(ABC):
    """Two critics with their targets; subclasses add the actor."""

    def __init__(self, actor_outputs: int) -> None:
        self.actor = perceptron(OBSERVATION, actor_outputs)
        self.critics = [perceptron(OBSERVATION + ACTION, 1) for _ in range(2)]
        self.target_critics = copy.deepcopy(self.critics)
        self.critic_parameters = [each for critic in self.critics for each in critic.parameters()]
        self.target_parameters = [each for critic in self.target_critics for each in critic.parameters()]
        self.actor_parameters = list(self.actor.parameters())
        self.critic_optimizer, self.actor_optimizer = map(fused_adam, (self.critic_parameters, self.actor_parameters))

    @abstractmethod
    def act(self, observation: Tensor) -> Tensor:
        """Return actions with exploration, (N, 1) in [-1, 1]."""

    @abstractmethod
    def best(self, observation: Tensor) -> Tensor:
        """Return actions without exploration, (N, 1) in [-1, 1]."""

    @abstractmethod
    def learn(self, number: int, batch: Sequence[Tensor]) -> None:
        """Take step `number` (from 1) on observation, action, reward, next observation and whether it terminated."""

    def step_critics(self, observation: Tensor, action: Tensor, target: Tensor) -> None:
        """Bring both critics closer to a target (N, 1)."""
        both = torch.cat((observation, action), 1)
        first, second = (functional.mse_loss(critic(both), target) for critic in self.critics)
        loss = first + second
        step(self.critic_optimizer, loss, self.critic_parameters)


def follow(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """Let tensors follow others slowly."""
    with torch.no_grad():
        torch._foreach_lerp_(targets, sources, TAU)


def step(optimizer: torch.optim.Optimizer, loss: Tensor, parameters: Sequence[Tensor]) -> None:
    """Step from the gradients of some parameters, and clear them."""
    loss.backward(inputs=parameters)
    optimizer.step()
    optimizer.zero_grad()


class SAC(Learner):
    """Soft actor-critic with a learned temperature."""

    def __init__(self) -> None:
        super().__init__(2 * ACTION)
        self.log_alpha = nn.Parameter(torch.zeros(1))
        self.alpha_optimizer = fused_adam([self.log_alpha])

    def sample(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions and their log-probabilities, (N, 1)."""
        mean, log_std = self.actor(observation).chunk(2, 1)
        log_std = log_std.clamp(*LOG_STD_RANGE)
        noise = torch.randn_like(mean)
        raw = mean + log_std.exp() * noise
        # The derivative of tanh is 1 - tanh^2, whose logarithm is 2 (log 2 - x - softplus(-2x)).
        correction = 2 * (np.log(2.0) - raw - functional.softplus(-2 * raw))
        log_prob = -0.5 * noise.square() - log_std - 0.5 * np.log(2 * np.pi) - correction
        return raw.tanh(), log_prob.sum(1, keepdim=True)

    def act(self, observation: Tensor) -> Tensor:
        """Return a sample."""
        mean, log_std = self.actor(observation).chunk(2, 1)
        return (mean + log_std.clamp(*LOG_STD_RANGE).exp() * torch.randn_like(mean)).tanh()

    def best(self, observation: Tensor) -> Tensor:
        """Return the mean."""
        return self.actor(observation)[:, :ACTION].tanh()

    def learn(self, number: int, batch: Sequence[Tensor]) -> None:
        """Take a step of the critics, the actor and the temperature."""
        observation, action, reward, following, terminated = batch
        with torch.no_grad():
            alpha = self.log_alpha.exp()
            next_action, next_log_prob = self.sample(following)
            both = torch.cat((following, next_action), 1)
            value = torch.minimum(*(critic(both) for critic in self.target_critics)) - alpha * next_log_prob
            target = reward + GAMMA * (1 - terminated) * value
        self.step_critics(observation, action, target)
        chosen, log_prob = self.sample(observation)
        both = torch.cat((observation, chosen), 1)
        value = torch.minimum(*(critic(both) for critic in self.critics))
        step(self.actor_optimizer, (alpha * log_prob - value).mean(), self.actor_parameters)
        gap = (log_prob.detach() - ACTION).mean()
        step(self.alpha_optimizer, -(gap * self.log_alpha.exp()).sum(), [self.log_alpha])
        follow(self.target_parameters, self.critic_parameters)


class TD3(Learner):
    """Twin delayed deep deterministic policy gradient."""

    def __init__(self) -> None:
        super().__init__(ACTION)
        self.target_actor = copy.deepcopy(self.actor)
        self.target_actor_parameters = list(self.target_actor.parameters())

    def act(self, observation: Tensor) -> Tensor:
        """Return the action with noise."""
        action = self.best(observation)
        return (action + EXPLORATION_NOISE * torch.randn_like(action)).clamp(-1, 1)

    def best(self, observation: Tensor) -> Tensor:
        """Return the action."""
        return self.actor(observation).tanh()

    def learn(self, number: int, batch: Sequence[Tensor]) -> None:
        """Take a step of the critics, and every second time of the actor and the targets."""
        observation, action, reward, following, terminated = batch
        with torch.no_grad():
            noise = (TARGET_NOISE * torch.randn_like(action)).clamp(-NOISE_CLIP, NOISE_CLIP)
            both = torch.cat((following, (self.target_actor(following).tanh() + noise).clamp(-1, 1)), 1)
            value = torch.minimum(*(critic(both) for critic in self.target_critics))
            target = reward + GAMMA * (1 - terminated) * value
        self.step_critics(observation, action, target)
        if number % POLICY_DELAY == 0:
            value = self.critics[0](torch.cat((observation, self.best(observation)), 1))
            step(self.actor_optimizer, -value.mean(), self.actor_parameters)
            follow(self.target_parameters, self.critic_parameters)
            follow(self.target_actor_parameters, self.actor_parameters)


LEARNERS: Mapping[str, Callable[[], Learner]] = {"sac": SAC, "td3": TD3}


def train_plainly(algorithm: str, steps: int, seed: int) -> dict[str, float]:
    """Train, and evaluate the policy; return `seconds` and `cpu_seconds` of the training, and the mean `return`."""
    torch.manual_seed(seed)
    learner, random = LEARNERS[algorithm](), np.random.default_rng(seed)
    environment = gymnasium.make(ENVIRONMENT)
    stored = torch.empty(steps, 2 * OBSERVATION + ACTION + 2)
    rows, widths = stored.numpy(), (OBSERVATION, ACTION, 1, OBSERVATION, 1)
    began, busy = time.perf_counter(), time.process_time()
    observation, _ = environment.reset(seed=seed)
    for done in range(steps):
        if done < START_STEPS:
            action = random.uniform(-1, 1, ACTION).astype(np.float32)
        else:
            with torch.no_grad():
                action = learner.act(torch.from_numpy(observation)[None])[0].numpy()
        following, reward, terminated, truncated, _ = environment.step(HIGH * action)
        rows[done] = np.concatenate((observation, action, (reward,), following, (terminated,)))
        observation = environment.reset()[0] if terminated or truncated else following
        if done >= START_STEPS:
            batch = stored[torch.randint(done + 1, (BATCH,))].split(widths, 1)
            learner.learn(done - START_STEPS + 1, batch)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    return {"seconds": seconds, "cpu_seconds": busy, "return": mean_return(learner, seed)}


def mean_return(learner: Learner, seed: int) -> float:
    """Return what the policy gains in an episode."""
    environment, returns = gymnasium.make(ENVIRONMENT), []
    for episode in range(EPISODES):
        observation, _ = environment.reset(seed=(1 + seed) * 10_000 + episode)
        total, ended = 0.0, False
        while not ended:
            with torch.no_grad():
                action = learner.best(torch.from_numpy(observation)[None])[0].numpy()
            observation, reward, terminated, truncated, _ = environment.step(HIGH * action)
            total, ended = total + float(reward), terminated or truncated
        returns.append(total)
    return float(np.mean(returns))
