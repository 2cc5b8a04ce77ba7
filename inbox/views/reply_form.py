"""The composer of the conversation page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict

from accounts.models import Source
from conversations.models import Attachment
from conversations.services.uploads import keep
from core.problems import Refusal
from inbox.variables import left_open
from messaging.files.store import FILE_MAX

REPLY_MAX = 10_000  # characters
FILES_MAX = 10


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files: https://docs.djangoproject.com/en/5.2/topics/http/file-uploads/#uploading-multiple-files"""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[bytes]]:
        files = data if isinstance(data, list | tuple) else [data] if data else []
        if len(files) > FILES_MAX:
            raise forms.ValidationError(f"At most {FILES_MAX} files.")
        return [self._checked(super(FilesField, self).clean(file, initial)) for file in files]

    def _checked(self, file: UploadedFile[bytes]) -> UploadedFile[bytes]:
        if (file.size or 0) > FILE_MAX:
            raise forms.ValidationError(f"{file.name} has more than {FILE_MAX // 1024**2} MB.")
        return file


class ReplyForm(forms.Form):
    """What the team answers. `last` is the newest message that the page showed, `kept` are files that are here already.

    Files are kept before anything else can refuse the answer: nobody has to choose them twice.
    """

    content = forms.CharField(
        label="Your answer",
        max_length=REPLY_MAX,
        strip=False,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "placeholder": "Write an answer…", "data-key": "r"}),
    )
    chosen = FilesField(label="Files", required=False)
    kept = forms.MultipleChoiceField(
        required=False,
        error_messages={"invalid_choice": "A file is not here any more. Choose the files again."},
    )
    connection = forms.IntegerField(required=False)
    last = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, source: Source, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.source = source
        self.kept_files: list[Attachment] = []
        keys = self.data.getlist("kept")[:FILES_MAX] if isinstance(self.data, QueryDict) else []
        if keys:
            rows = Attachment.objects.uploads().filter(source=source, key__in=keys)
            self.kept_files = list(rows)
            self.fields["kept"].choices = [(file.key, file.name) for file in rows]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for file in data.get("chosen") or ():
            try:
                self.kept_files.append(keep(source=self.source, name=file.name or "", content=file.read()))
            except Refusal as refusal:
                self.add_error("chosen", str(refusal))
        if not data.get("content", "").strip() and not self.kept_files and "chosen" not in self.errors:
            self.add_error("content", "Write an answer, or choose a file.")
        if names := left_open(data.get("content", "")):
            self.add_error("content", f"Fill in {', '.join(f'{{{{{name}}}}}' for name in names)} before you send it.")
        return data

    @property
    def file_keys(self) -> list[str]:
        return [file.key for file in self.kept_files]
