"""Runs many training steps in one execution, with batches from the device."""

import keras


def fuse_steps(model: keras.Model, make_batch, constants, example):
    """Makes `fit` run many steps of a JAX program at once.

    Keras calls the compiled train step once for each batch that the host
    sends. After this call, an item of the data set holds the inputs of many
    steps along its first axis, and the program loops over them. The logs are
    those of the last step.

    Args:
        model: A compiled `keras.Model`, on the JAX backend.
        make_batch: Callable that takes `constants` and the input of one step,
            and returns `(x, y)`.
        constants: Arrays on the device, in any structure.
        example: Array, the input of one step.
    """
    import jax

    x, y = jax.eval_shape(make_batch, constants, example)
    # Keras would build the loss from an item, which is not a batch.
    model.compute_loss(
        y=keras.ops.zeros(y.shape),
        y_pred=keras.ops.zeros(model.compute_output_shape(x.shape)),
    )

    def make_train_function(force=False):
        if model.train_function is not None and not force:
            return

        def steps(state, items, constants):
            def step(state, item):
                logs, state = model.train_step(
                    state, make_batch(constants, item)
                )
                return state, logs

            state, logs = jax.lax.scan(step, state, items)
            return jax.tree.map(lambda log: log[-1], logs), state

        compiled = jax.jit(steps, donate_argnums=0)

        def train_function(state, iterator):
            (items,) = next(iterator)
            return compiled(state, items, constants)

        model.train_function = train_function

    model.make_train_function = make_train_function
