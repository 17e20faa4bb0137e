"""Networks; nothing here knows about configuration or files.

Every recognition network is built as ``Model(*, input_dim, num_glosses, num_categories, **sizes)`` and called as
``model(sequence, padding_mask)`` with sequence (B, T, D) float and padding_mask (B, T) bool, True = padding, which
stands at the end of a clip. It returns ``types.Logits``. Three steps lead there, each reachable by itself:

    embed_frames  (B, T, D) -> (B, T, H)   a frame by itself (spatial embedding)
    encode        (B, T, D) -> (B, T, H)   a frame in its clip (temporal embedding)
    embed         (B, T, D) -> (B, H)      the clip

In eval mode neither padding nor the other clips of a batch change a clip's logits.
"""
