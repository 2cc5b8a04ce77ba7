"""A picture as a page may show it: drawn anew, so that nothing but its pixels is left."""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
PIXELS_MAX = 50_000_000  # a telephone's pictures have 12 to 48 million; each takes up to 4 bytes while it is drawn
SIDE_MAX = 1_280  # pixels of what is shown
QUALITY = 82
SHOWN_AS = {"image/jpeg", "image/png", "image/gif", "image/webp", "image/x-ms-bmp", "image/bmp"}


def preview_of(content: bytes) -> bytes | None:
    """Return a picture as WebP, small enough for a page, upright, without metadata. None for what is no picture.

    Of a moving one it is the first frame. What says it has more than PIXELS_MAX is refused before it is unpacked.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                if picture.width * picture.height > PIXELS_MAX:
                    return None
                picture.draft("RGB", (SIDE_MAX, SIDE_MAX))  # of a JPEG: unpacks no more than is needed
                return _drawn(picture)
    except Exception:  # the parsers raise whatever they like
        return None


def _drawn(picture: Image.Image) -> bytes:
    has_transparency = "A" in picture.getbands() or "transparency" in picture.info
    shown = ImageOps.exif_transpose(picture).convert("RGBA" if has_transparency else "RGB")
    shown.thumbnail((SIDE_MAX, SIDE_MAX))
    clean = Image.new(shown.mode, shown.size)
    clean.paste(shown)
    out = io.BytesIO()
    clean.save(out, "WEBP", quality=QUALITY)
    return out.getvalue()
