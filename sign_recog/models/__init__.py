"""Networks; nothing here knows about configuration or files.

Every recognition network is built as
``Model(*, input_dim, num_glosses, num_categories, num_languages, language_dim, **sizes)`` and called as
``model(sequence, padding_mask, language=None)`` with

    sequence      (B, T, D) float, or (B, T, 3, H, W) uint8 for a network over frames, whose ``input_dim`` is 3
    padding_mask  (B, T) bool, True = padding, which stands at the end of a clip
    language      (B,) int64, index into the corpora's languages; needed where ``num_languages`` > 1, else unused

It returns ``types.Logits``. Three steps lead there, each reachable by itself:

    embed_frames  (B, T, ...) -> (B, T, H)   a frame by itself (spatial embedding)
    encode        (B, T, ...) -> (B, T, H)   a frame in its clip (temporal embedding)
    embed         (B, T, ...) -> (B, H)      the clip, what ``heads(embedding, language)`` classifies

Networks over frames and time at once (:class:`~sign_recog.models.video.VideoClassifier`) have no vectors of single
frames: of the three steps they offer ``embed`` alone.

In eval mode neither padding nor the other clips of a batch change a clip's logits. A network over frames and time
reads clips of ``num_frames`` frames: a shorter one holds its last frame until then, however long its batch is, and a
longer one is refused.

Parts have the same name wherever they mean the same: ``backbone`` (an image network), ``projection`` (frame
embedding), ``layers`` (encoder) and ``heads`` (:class:`~sign_recog.models.heads.Heads`), whose
``output_layers()`` are the linear layers that end in the logits. A network that can start from given weights
says in ``pretrained`` from which file or address it did, None = random; its setting is ``weights``, which loading
one of our own checkpoints leaves out.

A video network is added as a function that returns a :class:`~sign_recog.models.video.VideoBackbone`, and a file in
conf/model that names it.
"""
