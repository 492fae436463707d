"""Super-resolution networks."""

from issp_keras.models.edsr import edsr

# By name, for configs and binaries.
NETWORKS = {"edsr": edsr}

__all__ = ["NETWORKS", "edsr"]
