"""Evaluates the Keras models of this folder in f64, with the numbers of their files as they are: writes
`keras/NAME.y64.npy` beside `keras/NAME.x.npy`.

    pip install keras==3.15.1 jax==0.10.2 h5py==3.16.0 numpy==2.4.6
    python double.py
"""

import json
import os
from pathlib import Path

# Kernels of TensorFlow take some constants in f32.
os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"

import keras
import numpy as np
from keras.src.backend.common import dtypes

HERE = Path(__file__).parent / "keras"

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")

# Else Keras computes in f32 what it has no kernel of its own for, unless its backend is TensorFlow.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"

for path in sorted(HERE.glob("*.keras")):
    narrow = keras.models.load_model(path)
    config = json.loads(json.dumps(narrow.get_config()).replace('"float32"', '"float64"'))
    model = type(narrow).from_config(config)
    x = np.load(HERE / f"{path.stem}.x.npy").astype("float64")
    parts, start = [], 0
    for info in narrow.inputs:
        shape = info.shape[1:]
        size = int(np.prod(shape))
        parts.append(x[:, start : start + size].reshape(-1, *shape))
        start += size
    feed = parts if len(parts) > 1 else parts[0]
    model(feed)
    model.set_weights([w.astype("float64") for w in narrow.get_weights()])
    # A normalisation keeps what follows from its weights.
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    y = model(feed, training=False)
    y = np.concatenate([np.asarray(part) for part in (y if isinstance(y, list) else [y])], axis=1)
    assert y.dtype == np.float64, y.dtype
    narrow = np.load(HERE / f"{path.stem}.y.npy")
    assert np.abs(y - narrow).max() <= 1e-4 * np.abs(narrow).max(), (path, np.abs(y - narrow).max())
    np.save(HERE / f"{path.stem}.y64.npy", y)
    print(path.stem, y.shape)
