"""A BERT sequence classifier of one layer and a vocabulary of a dozen words, drawn as ONNX on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "profit", "ris", "##es", "falls", "loss", "meeting", "the", ".")
LABELS = ("positive", "negative", "neutral")  # the order of ProsusAI/finbert
HIDDEN, POSITIONS = 8, 32
GOOD, BAD = ("profit", "ris"), ("loss", "falls")


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    """Return weights that are small noise, but for what makes good words positive and bad ones negative."""
    noise = np.random.default_rng(seed)

    def small(*shape):
        return noise.normal(0, 0.02, shape).astype(np.float32)

    made = {
        "words": small(len(WORDS), HIDDEN),
        "positions": small(POSITIONS, HIDDEN),
        "types": small(2, HIDDEN),
        "gain": np.ones(HIDDEN, np.float32),
        "shift": np.zeros(HIDDEN, np.float32),
        **{name: small(HIDDEN, HIDDEN) for name in ("query", "key")},
        **{name: np.eye(HIDDEN, dtype=np.float32) + small(HIDDEN, HIDDEN) for name in ("value", "pool")},
        "classify": small(HIDDEN, len(LABELS)),
        "bias": np.array([0, 0, 0.4], np.float32),
    }
    for number, word in enumerate(WORDS):
        place = 0 if word in GOOD else 1 if word in BAD else 7 if word == "[CLS]" else 2
        made["words"][number, place] += 3
    for place in (0, 1):
        made["classify"][place, place] += 6
    return made


def write_model(folder: Path, *, labels=LABELS) -> Path:
    """Write model.onnx, config.json and vocab.txt of the tiny model; return the folder."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    made = weights()
    constants = {
        **made,
        "one": np.array(1, np.float32),
        "far": np.array(-10_000, np.float32),
        "root": np.array(HIDDEN**-0.5, np.float32),
        "first": np.array(0, np.int64),
        "axes": np.array([1], np.int64),
        "zero": np.array([0], np.int64),
        "step": np.array([1], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["words", "input_ids"], ["word"]),
        node("Gather", ["types", "token_type_ids"], ["type"]),
        node("Shape", ["input_ids"], ["length"], start=1, end=2),
        node("Slice", ["positions", "zero", "length", "zero", "step"], ["position"]),
        node("Add", ["word", "type"], ["typed"]),
        node("Add", ["typed", "position"], ["embedded"]),
        node("LayerNormalization", ["embedded", "gain", "shift"], ["states"], axis=-1),
        *(node("MatMul", ["states", name], [name + "s"]) for name in ("query", "key", "value")),
        node("Transpose", ["keys"], ["turned"], perm=[0, 2, 1]),
        node("MatMul", ["querys", "turned"], ["raw"]),
        node("Mul", ["raw", "root"], ["scaled"]),
        node("Cast", ["attention_mask"], ["seen"], to=TensorProto.FLOAT),
        node("Sub", ["one", "seen"], ["unseen"]),
        node("Mul", ["unseen", "far"], ["penalty"]),
        node("Unsqueeze", ["penalty", "axes"], ["penalties"]),
        node("Add", ["scaled", "penalties"], ["masked"]),
        node("Softmax", ["masked"], ["attention"], axis=-1),
        node("MatMul", ["attention", "values"], ["context"]),
        node("Add", ["context", "states"], ["summed"]),
        node("LayerNormalization", ["summed", "gain", "shift"], ["hidden"], axis=-1),
        node("Gather", ["hidden", "first"], ["cls"], axis=1),
        node("MatMul", ["cls", "pool"], ["dense"]),
        node("Tanh", ["dense"], ["pooled"]),
        node("MatMul", ["pooled", "classify"], ["classified"]),
        node("Add", ["classified", "bias"], ["logits"]),
    ]
    shape = ["batch", "sequence"]
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    graph = helper.make_graph(
        nodes,
        "tiny_bert",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps({"id2label": dict(enumerate(labels))}))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return folder


def shares_by_hand(ids: list[int]) -> np.ndarray:
    """Return what the model says of one text, worked out without ONNX."""
    made = weights()

    def normed(x):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)

    def softmax(x):
        powers = np.exp(x - x.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    states = normed(made["words"][ids] + made["types"][0] + made["positions"][: len(ids)])
    attention = softmax((states @ made["query"]) @ (states @ made["key"]).T * HIDDEN**-0.5)
    hidden = normed(attention @ (states @ made["value"]) + states)
    return softmax(np.tanh(hidden[0] @ made["pool"]) @ made["classify"] + made["bias"])
