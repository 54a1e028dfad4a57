"""A training that stopped before its last step, and goes on as if it had not."""

from __future__ import annotations

import io
from typing import Any


def pause(until: int, before: dict[str, Any] | None = None) -> Any:
    """A `TrainerCallback` that ends a training after `until` steps in all, and starts it where `before` left it.

    `before` is what `resumed` gave: the optimizer and the schedule as they were after the first part, and the
    random numbers that dropout draws next. The trainer is to be given the rows that come after that part, and the
    settings of the whole training.
    """
    from transformers import TrainerCallback

    class Pause(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
            if before:
                kwargs["optimizer"].load_state_dict(before["optimizer"])
                kwargs["lr_scheduler"].load_state_dict(before["schedule"])

        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
            # Not at the beginning: the data loader draws a random number before the first step.
            if before and state.global_step == 0:
                _set_random(before["random"])

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
            control.should_training_stop |= steps_done(before) + state.global_step >= until

    return Pause()


def steps_done(state: dict[str, Any] | None) -> int:
    """Steps of the first part."""
    return int(state["steps"]) if state else 0


def captured(model: Any, optimizer: Any, schedule: Any, steps: int) -> bytes:
    """All that a training of `model` needs to go on after `steps` steps."""
    import torch

    state = {
        "steps": steps,
        "weights": {n: p.detach().cpu() for n, p in model.named_parameters() if p.requires_grad},
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "random": _random(),
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def resumed(model: Any, data: bytes) -> dict[str, Any]:
    """Puts the trained weights back into `model`, built with the same adapter; returns the state for `pause`."""
    import torch

    state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    weights = {n: p for n, p in model.named_parameters() if p.requires_grad}
    if weights.keys() != state["weights"].keys():
        raise ValueError("the paused training is of another model or adapter")
    with torch.no_grad():
        for name, parameter in weights.items():
            parameter.copy_(state["weights"][name])
    return state


def _random() -> dict[str, Any]:
    import torch

    gpu = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    return {"cpu": torch.get_rng_state(), "gpu": gpu}


def _set_random(state: dict[str, Any]) -> None:
    import torch

    torch.set_rng_state(state["cpu"])
    if state["gpu"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["gpu"])
