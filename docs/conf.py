"""Settings of the documents' site, which `make docs` builds. Nothing of it comes from the network."""

from typing import Any

project = "toy-duration-predictor"
copyright = "The toy-duration-predictor authors"  # noqa: A001

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# Headings can be linked to by the names that GitHub gives them.
myst_heading_anchors = 3

html_theme = "furo"
html_title = project
html_copy_source = False
html_theme_options = {
    "source_repository": "https://github.com/ccss17/toy-duration-predictor/",
    "source_branch": "main",
    "source_directory": "docs/",
}

# Docstrings put code between single backticks, as Markdown does.
default_role = "literal"
add_module_names = False
autodoc_member_order = "bysource"
napoleon_use_ivar = True
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}


def setup(app: Any) -> None:
    """Leaves out the fields of named tuples: the class docstring explains them, autodoc knows only their numbers."""
    app.connect("autodoc-skip-member", lambda _app, _what, _name, field, _skip, _options: _is_field(field) or None)


def _is_field(member: object) -> bool:
    return type(member).__name__ == "_tuplegetter"
