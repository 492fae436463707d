"""The names that stand for delegates."""

# The delegate of this package.
SPARSE = "sparse"
NO_DELEGATE = "none"
