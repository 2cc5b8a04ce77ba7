"""Mailboxes of the business: mail goes out by SMTP, and what comes in is read by IMAP."""
