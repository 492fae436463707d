"""Marks that depend on the backend."""

import keras
import pytest

# JAX compiles these trainings faster, and `make test-long` runs on TensorFlow
# alone. So on JAX they run with all other tests.
LONG = [pytest.mark.long] if keras.backend.backend() == "tensorflow" else []
