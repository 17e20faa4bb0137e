"""The training step and what surrounds it; PyTorch Lightning's Trainer is the loop."""

from sign_recog import torchvision_operators

torchvision_operators.declare_missing()  # before any module here imports Lightning
