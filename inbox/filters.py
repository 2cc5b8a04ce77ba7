"""What the list of the inbox shows, as its address says it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.db.models import DateTimeField, ExpressionWrapper, F, Value
from django.db.models.functions import Now
from django.http import QueryDict

from accounts.models import Membership, Source, User
from accounts.rights import Right
from conversations.models import Conversation, Label, Tag
from conversations.models.conversations import ConversationQuerySet
from core.ids import decode, encode
from inbox.reading import unread
from messaging.models import ChannelConnection

SEARCH_MAX = 100  # characters
CHOICES_MAX = 500  # sources, people and tags that a filter lists
Choices = dict[str, list[tuple[str, str]]]  # by field: values and labels
CHOSEN_BY_ID = ("source", "assignee", "tag")
ME, NOBODY = "me", "none"
STATES = [
    ("open", "Open"),
    ("waiting", "Waiting"),
    ("snoozed", "Snoozed"),
    ("closed", "Closed"),
    ("all", "All"),
]
ROWS_OF_STATE = {"open": "awake", "waiting": "waiting", "snoozed": "snoozed", "closed": "closed"}
WAITING = [("1", "over 1 hour"), ("4", "over 4 hours"), ("24", "over 1 day"), ("72", "over 3 days")]


class FilterForm(forms.Form):
    """The filters of the inbox. What cannot be understood is left out: an old address still shows something."""

    q = forms.CharField(label="Search by name, email, phone or id", required=False)
    state = forms.ChoiceField(choices=STATES, required=False)
    source = forms.ChoiceField(label="Source", required=False)
    channel = forms.ChoiceField(
        label="Last came by", required=False, choices=[("", "Any channel"), *ChannelConnection.Kind.choices]
    )
    assignee = forms.ChoiceField(label="Assignee", required=False)
    tag = forms.ChoiceField(label="Tagged", required=False)
    meaning = forms.ChoiceField(
        label="What the lead means", required=False, choices=[("", "Any answer"), *Label.choices]
    )
    handled = forms.ChoiceField(
        label="Handled by", required=False, choices=[("", "Anybody"), *Conversation.Holder.choices]
    )
    waiting = forms.ChoiceField(label="Waiting", required=False, choices=[("", "Any time"), *WAITING])
    unread = forms.BooleanField(label="Only unread", required=False)

    def __init__(self, data: QueryDict, *, membership: Membership, choices: Choices | None = None) -> None:
        if data.get("mine"):  # as it was called before there was anybody else to choose
            data = data.copy()
            data["assignee"] = ME
        super().__init__(data, auto_id="filter-%s")
        self.membership = membership
        self.choices = choices or choices_of(membership)
        self.shows_nothing = False
        for name, values in self.choices.items():
            self.fields[name].choices = self._with_lost(name, data.get(name, ""), values)  # type: ignore[attr-defined]
        self.is_valid()

    def _with_lost(self, name: str, chosen: str, values: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Keep a choice that there is no more: it shows nothing. Without it the list would show everything instead."""
        if not _could_be(name, chosen) or chosen in dict(values):
            return values
        self.shows_nothing = True
        return [*values, (chosen, "No longer available")]

    @classmethod
    def as_asked(cls, data: QueryDict, membership: Membership) -> FilterForm:
        """Return filters that take each choice as it stands in the address, without reading what there is to choose.

        For pages that are open already and ask every few seconds. What the member may see decides in any case.
        """
        chosen = {name: data.get(name, "") for name in CHOSEN_BY_ID}
        taken = {name: [(text, "")] if _could_be(name, text) else [] for name, text in chosen.items()}
        return cls(data, membership=membership, choices=taken)

    def with_query(self, query: str) -> FilterForm:
        """Return the same member's filters for another query."""
        return FilterForm(QueryDict(query), membership=self.membership, choices=self.choices)

    def clean_q(self) -> str:
        text: str = self.cleaned_data["q"]
        return text.strip()[:SEARCH_MAX]

    def selects(self) -> list[forms.BoundField]:
        """The filters beside the search, the state and the tick."""
        return [self[name] for name in self.fields if name not in ("q", "state", "unread")]

    @property
    def chosen(self) -> dict[str, str]:
        """What was chosen and understood, as the address writes it."""
        values = {name: value for name, value in self.cleaned_data.items() if value}
        return {name: "1" if value is True else value for name, value in values.items()}

    @property
    def shown_state(self) -> str:
        """A search looks into all of them, unless one was chosen."""
        chosen: str = self.cleaned_data.get("state", "")
        return chosen or ("all" if self.search else "open")

    @property
    def search(self) -> str:
        words: str = self.cleaned_data.get("q", "")
        return words

    @property
    def query(self) -> str:
        """The address's query, without what is chosen anyway."""
        return self.query_with()

    def query_with(self, **changed: str) -> str:
        values = {name: value for name, value in {**self.chosen, **changed}.items() if value}
        return urlencode(values)

    @property
    def count(self) -> int:
        """How many filters are chosen beside the search and the state."""
        return len(self.chosen.keys() - {"q", "state"})

    @property
    def moment(self) -> str:
        """The column that the list is sorted by: who waits longest comes first, else what is newest."""
        return "waiting_since" if self.is_oldest_first else "last_message_at"

    @property
    def is_oldest_first(self) -> bool:
        return self.shown_state == "waiting" or bool(self.cleaned_data.get("waiting"))

    def rows(self) -> ConversationQuerySet:
        """The conversations that the member may see and has chosen, in no order."""
        membership, chosen = self.membership, self.cleaned_data
        rows: ConversationQuerySet = Conversation.objects.visible_to(membership.user)
        rows = rows.filter(organization=membership.organization_id, lead__is_test=False)
        if self.shows_nothing:
            return rows.none()
        if self.search:
            rows = rows.searched(self.search, membership.organization_id)
        if self.shown_state in ROWS_OF_STATE:
            rows = getattr(rows, ROWS_OF_STATE[self.shown_state])()
        if chosen.get("waiting"):
            rows = rows.waiting().filter(waiting_since__lte=_ago(timedelta(hours=int(chosen["waiting"]))))
        if chosen.get("unread"):
            rows = unread(rows, membership)
        if chosen.get("tag"):
            rows = rows.tagged(chosen["tag"])
        return rows.filter(**self._columns())

    def _columns(self) -> dict[str, Any]:
        chosen, columns = self.cleaned_data, {}
        for name, column in (("meaning", "label"), ("handled", "handled_by")):
            if chosen.get(name):
                columns[column] = chosen[name]
        if chosen.get("source"):
            columns["source"] = decode("src", chosen["source"])
        if chosen.get("channel"):  # ids and no join: a kind has few connections
            kind = ChannelConnection.objects.filter(
                organization=self.membership.organization_id, kind=chosen["channel"]
            )
            columns["connection__in"] = list(kind.values_list("pk", flat=True))
        if chosen.get("assignee"):
            columns["assignee"] = self._assignee(chosen["assignee"])
        return columns

    def _assignee(self, chosen: str) -> UUID | None:
        return self.membership.user_id if chosen == ME else decode("usr", chosen)


def _could_be(name: str, chosen: str) -> bool:
    """True when a text may be a choice of this filter, whether or not there is such a one."""
    if not chosen or len(chosen) > SEARCH_MAX:
        return False
    if name == "tag":
        return "\x00" not in chosen
    return bool(decode("src" if name == "source" else "usr", chosen) or (name == "assignee" and chosen in (ME, NOBODY)))


def choices_of(membership: Membership) -> Choices:
    """Return what the filters of a member offer: their sources, people, and the organization's tags."""
    people = [(encode("usr", person.pk), str(person)) for person in _people(membership)]
    tags = Tag.objects.filter(organization=membership.organization_id)[:CHOICES_MAX]
    return {
        "source": [("", "All sources"), *((source.public_id, _name_of(source)) for source in _sources(membership))],
        "assignee": [("", "Anybody"), (ME, "Me"), (NOBODY, "Nobody"), *people],
        "tag": [("", "Any tag"), *((tag.name, tag.name) for tag in tags)],
    }


def colleagues(membership: Membership) -> dict[str, User]:
    """Whom the member may assign conversations to, by public id, in the order of their names."""
    people = [*_people(membership), membership.user]
    return {encode("usr", person.pk): person for person in people}


def _sources(membership: Membership) -> list[Source]:
    """The member's sources; those that were archived come last, and their conversations can still be found."""
    rows = Source.objects.visible_to(membership.user).filter(organization=membership.organization_id)
    return list(
        rows.only("id", "name", "archived_at").order_by(F("archived_at").asc(nulls_first=True), "name", "id")[
            :CHOICES_MAX
        ]
    )


def _name_of(source: Source) -> str:
    return f"{source.name} (archived)" if source.is_archived else source.name


def _people(membership: Membership) -> list[User]:
    """Who else may answer, as far as the member may know: near their own sources."""
    members = Membership.objects.active().filter(organization=membership.organization_id).with_right(Right.ANSWER)
    if membership.is_limited:
        mine = Source.objects.filter(pk__in=membership.source_ids)
        members = members.near({key for pair in mine.values_list("pk", "parent") for key in pair if key})
    return members.exclude(user=membership.user_id).people()[:CHOICES_MAX]


def _ago(age: timedelta) -> ExpressionWrapper[Any]:
    return ExpressionWrapper(Now() - Value(age), output_field=DateTimeField())
