"""The single keys of the inbox, as its pages list them: a conversation may be open beside the list, or not."""

KEYS = [
    ("j", "Next conversation of the list"),
    ("k", "Previous conversation of the list"),
    ("Enter", "Open it"),
    ("x", "Select it"),
    ("z", "Undo what was done with the selected ones"),
    ("/", "Search"),
    ("r", "Write an answer"),
    ("Ctrl Enter", "Send it, and go to the next conversation"),
    ("Esc", "Leave the answer, to use the other keys"),
    ("e", "Close the conversation, or reopen it"),
    ("a", "Assign it"),
    ("s", "Snooze it"),
    ("t", "Tag it"),
    ("u", "Back to the inbox"),
]
