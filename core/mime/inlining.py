"""Styles of HTML that we send: mail programs keep them only where they stand on the element itself."""

from __future__ import annotations

import css_inline

# What a style sheet is fetched from is none of our business: neither another server nor our own disk.
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False, keep_link_tags=False)


def with_inlined_styles(html: str) -> str:
    """Return a piece of HTML with the rules of its `<style>` on its elements. What is no CSS is left out."""
    if "<style" not in html.lower():
        return html
    try:
        return _INLINER.inline(html)
    except css_inline.InlineError:
        return html
