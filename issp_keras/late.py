"""Lazy imports: packages import their public names at the first use."""

import ast
import importlib
import importlib.util
import sys
import types

from issp_keras.extras import needed_by


def import_late(package: str) -> None:
    """Makes a package import each of its public names at its first use.

    The package calls this at the end of its `__init__`. It lists its names in
    `__all__`, and imports them below `if TYPE_CHECKING:`. Readers and type
    checkers find the imports there. This function reads them to find the
    module of each name.

    ```python
    if TYPE_CHECKING:
        from package.module import name

    __all__ = ["name"]

    import_late(__name__)
    ```

    `import package` is then fast. `package.name` and `from package import
    name` import `package.module`. Modules of the package are imported at
    their first use too. `dir(package)` shows `__all__`. If the import fails
    because an extra is not installed, a `MissingPackage` names the extra.

    Args:
        package: String, the `__name__` of the package.
    """
    module = sys.modules[package]
    vars(module)["_homes"] = _homes(module)
    module.__class__ = _LatePackage


class _LatePackage(types.ModuleType):
    """A package with names that are imported at their first use."""

    def __getattr__(self, name):
        home = vars(self)["_homes"].get(name)
        with needed_by(f"{vars(self)['__name__']}.{name}"):
            if home:
                value = getattr(importlib.import_module(home), name)
            else:
                value = self._submodule(name)
        vars(self)[name] = value
        return value

    def __setattr__(self, name, value):
        # Python sets each imported module as an attribute of its package. It
        # must not replace a public function of the same name.
        is_module = isinstance(value, types.ModuleType)
        if not is_module or name not in vars(self)["_homes"]:
            super().__setattr__(name, value)

    def __dir__(self):
        return sorted(vars(self)["__all__"])

    def _submodule(self, name):
        package = vars(self)["__name__"]
        path = f"{package}.{name}"
        if not name.startswith("_"):
            try:
                return importlib.import_module(path)
            except ModuleNotFoundError as error:
                if error.name != path:
                    raise
        raise AttributeError(f"module {package!r} has no attribute {name!r}")


def _homes(module):
    """Returns a dict from the names of the package to their modules."""
    spec = module.__spec__
    tree = ast.parse(spec.loader.get_source(spec.name))
    return {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module != spec.name
        for alias in node.names
    }


def import_with(other: str, *modules: str, unless: str = "") -> None:
    """Imports modules right after another module, or now if it is imported.

    Args:
        other: String, the name of a top-level module.
        *modules: Strings, names of the modules to import after it.
        unless: String, the name of a module. If its import has begun, nothing
            is imported.
    """
    if other in sys.modules:
        _import_all(modules, unless)
    else:
        sys.meta_path.insert(0, _Watcher(other, modules, unless))


def import_before(other: str, module: str) -> None:
    """Imports `module` right before `other`, unless `other` is imported."""
    if other not in sys.modules:
        sys.meta_path.insert(0, _Watcher(other, (), "", before=module))


def _import_all(modules, unless):
    if unless not in sys.modules:
        for name in modules:
            importlib.import_module(name)


class _Watcher:
    """An import hook that imports other modules with one module."""

    def __init__(self, name, modules, unless, before=None):
        self._name = name
        self._modules = modules
        self._unless = unless
        self._before = before
        self._is_searching = False

    def find_spec(self, name, path=None, target=None):
        if name != self._name or self._is_searching:
            return None
        self._is_searching = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._is_searching = False
        if spec is not None:
            self._wrap(spec.loader)
        return spec

    def _wrap(self, loader):
        execute = loader.exec_module

        def execute_with_others(module):
            # A search for the module without an import does not run this.
            sys.meta_path.remove(self)
            if self._before:
                # If `before` imports this module too, it must be complete.
                begun = sys.modules.pop(self._name)
                importlib.import_module(self._before)
                sys.modules[self._name] = begun
            execute(module)
            _import_all(self._modules, self._unless)

        loader.exec_module = execute_with_others
