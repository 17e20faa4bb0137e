"""Translation networks: from a sequence of features, keypoints or glosses to sentences.

Every network is built as
``Network(*, input_dim, num_source_tokens, vocab_size, pad_id, bos_id, eos_id, **sizes)``, where exactly one of
``input_dim`` (D of a frame) and ``num_source_tokens`` (size of the gloss vocabulary) is given, and is called as
``network(sequence, padding_mask, labels)`` with

    sequence      (B, T, D) float, or (B, T) int64 where it holds glosses
    padding_mask  (B, T) bool, True = padding, which stands at the end of a sequence
    labels        (B, U) int64, each sentence with its ``eos_id``, then -100
    returns       logits (B, U, V): at each place of the label there, from the labels before it

The decoder reads the labels one place later, behind the network's own start token. In eval mode neither padding nor
the other sentences of a batch change a sentence's logits, and what follows a place changes nothing at it.

``generate(sequence, padding_mask, *, num_beams, max_length, length_penalty, num_return)`` returns, for each of the B
sequences, ``num_return`` :class:`~sign_recog.models.translation.beam_search.Hypothesis`, best first. It is for eval
mode.

Attributes of every network:
    no_fp16: Why float16 is refused; None = it may be used.
    max_source_positions, max_target_positions: The longest sequence and sentence; None = any.
    pretrained: Where weights come from that it did not begin at random; None = nowhere.
    token_weights, source_token_weights: Names of the weights with a row a token: of the sentences, and of the glosses
        that are read. They mean nothing under another tokenizer.
    rebuild: Settings, plain values, in which the network made again for a checkpoint differs from its conf file:
        the sizes that stood in a folder, and no weights to begin from.
"""
