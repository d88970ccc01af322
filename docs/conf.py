"""How the site is built: ``sphinx-build -n -W docs docs/_build``, without a network.

What can be made from the code is made (``_ext/made.py``), so that it stays true.
"""

import sys
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import made  # noqa: E402
import source  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

import lox24_async  # noqa: E402

project = "lox24_async"
author = "The lox24_async developers"
project_copyright = author
version = release = lox24_async.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
]
exclude_patterns = ["_build", "_ext", "_static"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# What is linked to is in small inventories that are written here: nothing is fetched.
intersphinx_mapping = made.inventories(HERE)
nitpicky = True
nitpick_ignore = [
    # Type variables: they have no page of their own.
    ("py:class", "lox24_async.client.FormT"),
    ("py:class", "lox24_async.models.BulkT"),
    ("py:class", "lox24_async.models.ItemT"),
    ("py:class", "aioresponses"),  # it has no inventory
]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_numpy_docstring = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"lox24_async {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = True
html_extra_path = ["journal.schema.json"]
html_theme_options: dict[str, Any] = {"navigation_with_keys": True}

man_pages = [("_made/lox24", "lox24", "stop SMS campaigns at LOX24", [author], 1)]
man_show_urls = True

made.write_pages(HERE)
source.let_public_classes_be_found()
source.let_docstrings_name_no_types()


def setup(app: Sphinx) -> None:
    """Add what is particular to this site."""
    app.connect("autodoc-process-docstring", source.link_public_names)
    app.connect("autodoc-process-bases", source.show_public_bases)
    app.connect("build-finished", made.check_that_all_is_told)
    app.connect("build-finished", made.write_llms_txt)
