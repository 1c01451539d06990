"""The updates of an algorithm: which optimiser and what goes with it each has."""

from typing import Any

from app.spec.job import parse_job
from app.spec.training.plan import Training
from tests.app.spec.training.algorithms.written import algorithm_job, mlp

ADAM = {"kind": "Adam", "lr": 0.002}


def plan(kind: str = "sac", training: dict[str, Any] | None = None, **settings: Any) -> Training:
    model = {"actor": mlp(4 if kind == "sac" else 2), "critic": mlp(1)}
    return parse_job(algorithm_job(kind, model, training=training or {}, **settings)).training


def optimizers(training: Training) -> list[tuple[tuple[str, ...], str, float]]:
    return [(each.loss, each.optimizer.kind, each.optimizer.settings()["lr"]) for each in training.updates]


def test_an_algorithm_has_a_rate_of_its_own() -> None:
    assert optimizers(plan()) == [(("critic",), "Adam", 3e-4), (("actor", "alpha"), "Adam", 3e-4)]
    assert optimizers(plan("td3")) == [(("critic",), "Adam", 1e-3), (("actor",), "Adam", 1e-3)]
    [update] = plan("ppo").updates
    assert (update.optimizer.settings()["eps"], update.clip_norm) == (1e-5, 0.5)


def test_what_the_plan_says_goes_to_every_update() -> None:
    given = {"optimizer": "AdamW", "lr": 0.1, "clip_norm": 2, "warmup": {"steps": 5}}
    updates = plan("td3", given).updates
    assert [each.optimizer.kind for each in updates] == ["AdamW", "AdamW"]
    assert all(each.optimizer.settings()["lr"] == 0.1 and each.clip_norm == 2 and each.warmup for each in updates)
    assert optimizers(plan("td3", {"lr": 0.1})) == [(("critic",), "Adam", 0.1), (("actor",), "Adam", 0.1)]
    assert plan("ppo", {"clip_norm": None}).updates[0].clip_norm is None


def test_groups_of_kinds_of_parameters_go_to_every_update() -> None:
    groups = [{"parameters": "bias_and_norm", "weight_decay": 0}]
    updates = plan("td3", {"optimizer": "AdamW", "groups": groups}).updates
    assert [len(each.groups) for each in updates] == [1, 1]


def test_an_update_may_have_an_optimiser_of_its_own() -> None:
    training = plan("td3", {"lr": 0.5}, actor_optimizer=ADAM)
    assert optimizers(training) == [(("critic",), "Adam", 0.5), (("actor",), "Adam", 0.002)]
    training = plan(critic_optimizer="RMSprop")
    assert optimizers(training)[0] == (("critic",), "RMSprop", 0.01)


def test_alpha_is_trained_with_the_actor_if_that_changes_nothing() -> None:
    together = [("actor", "alpha")]
    assert [each.loss for each in plan().updates[1:]] == together
    assert [each.loss for each in plan(actor_optimizer=ADAM).updates[1:]] == together
    assert [each.loss for each in plan(training={"lr": 0.1, "clip_norm": None}).updates[1:]] == together
    assert plan().updates[1].parameters == ("policy", "log_alpha")


def test_alpha_has_an_update_of_its_own_otherwise() -> None:
    for training in ({"clip_norm": 1}, {"clip_value": 1}, {"l1": 0.1}, {"gradient_noise": {"eta": 0.1}}):
        critic, actor, alpha = plan(training=training).updates
        assert (actor.loss, alpha.loss, alpha.parameters) == (("actor",), ("alpha",), ("log_alpha",))
        assert critic.model_dump(exclude={"loss", "parameters"}) == actor.model_dump(exclude={"loss", "parameters"})
        assert not any((alpha.clip_norm, alpha.clip_value, alpha.l1, alpha.gradient_noise))
    decayed = {"kind": "AdamW", "lr": 0.02}
    assert optimizers(plan(training={"optimizer": decayed}))[1:] == [
        (("actor",), "AdamW", 0.02),
        (("alpha",), "Adam", 0.02),
    ]
    assert optimizers(plan(alpha_optimizer={"kind": "SGD", "lr": 0.3}))[2] == (("alpha",), "SGD", 0.3)
    assert len(plan(alpha=0.2).updates) == 2
