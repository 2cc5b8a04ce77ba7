"""Files in the demo's conversations: a drawn photo of a boiler and its data sheet."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

from conversations.models import Message
from conversations.services.uploads import attach, keep

SENT_BY = ("Ortiz", "Kowalski")  # leads whose first message has files
SHEET = b"""%PDF-1.4
1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj
2 0 obj << /Type /Pages /Kids [3 0 R] /Count 1 >> endobj
3 0 obj << /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] >> endobj
trailer << /Root 1 0 R >>
%%EOF
"""


def add_files() -> None:
    """Give some messages the files that their leads sent."""
    for last_name in SENT_BY:
        message = Message.objects.filter(lead__last_name=last_name, direction="inbound").earliest("id")
        kept = [
            keep(source=message.source, name=name, content=content)
            for name, content in (("boiler.jpg", _photo()), ("data sheet.pdf", SHEET))
        ]
        attach(message, {file.key: file.size for file in kept})
        Message.objects.filter(pk=message.pk).update(attachment_count=len(kept))


def _photo() -> bytes:
    picture = Image.new("RGB", (960, 720), "#d9dde3")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 560, 960, 720), fill="#b7a58c")  # the floor
    pen.rounded_rectangle((330, 120, 630, 500), 24, fill="#f7f8fa", outline="#9aa3ad", width=6)  # the boiler
    pen.ellipse((420, 190, 540, 310), fill="#ffffff", outline="#59636e", width=6)  # its gauge
    pen.line((480, 250, 520, 215), fill="#c0392b", width=8)
    for x in (380, 450, 510, 580):
        pen.line((x, 500, x, 620), fill="#b87333", width=16)
    pen.ellipse((440, 610, 640, 650), fill="#7fa8c9")  # the puddle
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()
