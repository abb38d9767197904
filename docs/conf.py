"""How the site is built: `make docs`. Pages are executed in the build, and any warning fails it."""

import sys
from pathlib import Path

import picojoule

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

from executed_from import kept_outputs  # noqa: E402  (from the folder above)

project = "Picojoule"
author = "The Picojoule developers"
copyright = author
release = version = picojoule.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "mathml",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "docstrings",
    "executed_notebooks",
    "public_names",
]
templates_path = ["_templates"]
exclude_patterns = [
    "gallery",
    "pictures",
    *(f"pictured/**.{ending}" for ending in ("ipynb", "json", "md5", "py", "zip")),
]
suppress_warnings = ["config.cache"]  # sphinx-gallery's settings hold functions

# links to what does not exist are warnings, and warnings are errors; other packages are not asked
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!picojoule).*"),
    ("py:class", r"picojoule(\.[a-z_]+){2,}\.\w+"),  # types in signatures that are not public
]

# docstrings: Markdown's `code`, and Google's sections
default_role = "code"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}
autosummary_generate = True
autosummary_ignore_module_all = False
napoleon_custom_sections = [("What is not known", "notes"), ("Many processes", "notes"), "Source"]
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
_outputs = kept_outputs(HERE.parent / "build" / "docs" / "executed", HERE.parent)
nb_execution_mode = "cache"
nb_execution_cache_path = str(_outputs)
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "pictured",
    "filename_pattern": r"\.py$",
    "run_stale_examples": not _outputs.exists(),
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 10**6,  # times differ from build to build
    "write_computation_times": False,
    "abort_on_example_error": True,
    "default_thumb_file": None,
    "within_subsection_order": "gallery_pictures.FirstThingsFirst",
    "subsection_order": ["gallery/neurons", "gallery/activation", "gallery/plots"],
    "reset_modules": ("gallery_pictures.set_style",),
    "image_scrapers": ("gallery_pictures.scrape", "matplotlib"),
}

html_theme = "pydata_sphinx_theme"
html_title = "Picojoule"
html_static_path = ["_static"]
html_css_files = ["picojoule.css"]
html_js_files = ["reachable.js"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "start": []}
