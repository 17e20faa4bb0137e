"""T5-base in bf16, for a GPU."""

import argparse
import time
from pathlib import Path

from translation_parts.corpora import DIM, MADE, configured


def t5_base(arguments: argparse.Namespace, folder: Path) -> bool:
    """Steps/s and tokens/s in bf16, and the share of the rate of matrix products; a goal has not been set."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from sign_recog.stages.build import build
    from sign_recog.training.translation import token_losses

    cuda = arguments.device == "cuda"
    if cuda and not torch.cuda.is_available():
        print("t5_base: this machine has no GPU that torch can use.")
        return False
    vocab_size, batch, source, target, steps = (32100, 64, 128, 64, 30) if cuda else (1000, 2, 16, 8, 2)
    config = configured(folder, [*MADE, "model=t5_base"], 60)
    special = {"pad_id": 0, "bos_id": 0, "eos_id": 1}
    network = build(config.model, input_dim=DIM, num_source_tokens=None, vocab_size=vocab_size, **special)
    network = network.to(arguments.device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=cuda)
    sequence = torch.randn(batch, source, DIM, device=arguments.device)
    mask = torch.zeros(batch, source, dtype=torch.bool, device=arguments.device)
    labels = torch.randint(2, vocab_size, (batch, target), device=arguments.device)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(arguments.device, torch.bfloat16):
            losses = token_losses(network(sequence, mask, labels), labels, 0.2)
        (losses.objective / losses.tokens).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        step()
    seconds, side = seconds_of(step, steps, cuda), 8192 if cuda else 512
    matrix = torch.randn(side, side, device=arguments.device, dtype=torch.bfloat16)
    rate = 2 * side**3 / seconds_of(lambda: matrix @ matrix, steps, cuda)
    used = counter.get_total_flops() / seconds
    print(
        f"translation_t5_base: {1 / seconds:.2f} steps/s of {batch} pairs ({source} windows, {target} tokens each), "
        f"{batch * (source + target) / seconds:.0f} tokens/s, of both sides"
    )
    print(f"{used / 1e12:.1f} of {rate / 1e12:.1f} Tflop/s that bf16 matrix products reach: {used / rate:.1%}")
    return True


def seconds_of(work, times: int, cuda: bool) -> float:
    """Of one call, after three that do not count."""
    import torch

    for number in range(times + 3):
        if number == 3:
            if cuda:
                torch.cuda.synchronize()
            start = time.perf_counter()
        work()
    if cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / times
