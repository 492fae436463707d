"""A train step of EDSR x4 under tfmot, for benchmarks/sparse_training.py.

    TF_USE_LEGACY_KERAS=1 python benchmarks/tfmot_step.py \
        REPEATS FEATURES BLOCKS BATCH PATCH

Prints times as JSON: a dense step in tf_keras, and a step with
prune_low_magnitude on every convolution, which updates its masks at every step.
"""

import gc
import json
import sys
import time

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tf_keras import layers


def edsr(features, blocks, wrap):
    """EDSR-baseline x4. `wrap` is applied to every convolution."""
    image = tf_keras.Input((None, None, 3))

    def conv(x, filters, activation=None):
        layer = layers.Conv2D(filters, 3, padding="same", activation=activation)
        return wrap(layer)(x)

    x = first = conv(image, features)
    for _ in range(blocks):
        skip = x
        x = conv(x, features, "relu")
        x = layers.Add()([skip, conv(x, features)])
    x = layers.Add()([first, conv(x, features)])
    for _ in range(2):
        x = conv(x, 4 * features)
        x = layers.Lambda(lambda y: tf.nn.depth_to_space(y, 2))(x)
    model = tf_keras.Model(image, conv(x, 3))
    model.compile(tf_keras.optimizers.Adam(1e-4), "mean_absolute_error")
    return model


def pruned(layer):
    """A convolution whose mask is computed again at every step."""
    schedule = tfmot.sparsity.keras.ConstantSparsity(
        0.95, begin_step=0, end_step=1_000_000, frequency=1
    )
    return tfmot.sparsity.keras.prune_low_magnitude(layer, schedule)


def main(repeats, features, blocks, batch, patch):
    """Times both in turns."""
    rng = np.random.default_rng(0)
    lr = rng.random((batch, patch, patch, 3), np.float32)
    hr = rng.random((batch, 4 * patch, 4 * patch, 3), np.float32)
    dense = edsr(features, blocks, lambda layer: layer)
    sparse = edsr(features, blocks, pruned)
    update = tfmot.sparsity.keras.UpdatePruningStep()
    update.set_model(sparse)
    update.on_train_begin()

    def sparse_step():
        update.on_train_batch_begin(0)
        sparse.train_on_batch(lr, hr)

    candidates = {
        "tf_keras, dense": lambda: dense.train_on_batch(lr, hr),
        "tf_keras, tfmot prune_low_magnitude": sparse_step,
    }
    times = {name: {"cpu": [], "wall": []} for name in candidates}
    for turn in range(repeats + 1):
        for name, run in candidates.items():
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            if turn:
                times[name]["cpu"].append(time.process_time() - cpu)
                times[name]["wall"].append(time.perf_counter() - wall)
    print(json.dumps(times))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
