#!/bin/sh
# Who am I, a lead comes in, an answer goes out: with curl.
set -eu
call() { # METHOD PATH [BODY] [Idempotency-Key]
  curl -sS --fail-with-body -X "$1" "$LEADWIRE_URL/v1/$2" -H "Authorization: Bearer $LEADWIRE_TOKEN" \
    -H "Content-Type: application/json" ${4:+-H "Idempotency-Key: $4"} ${3:+-d "$3"}
}
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }

call GET whoami
lead=$(call POST leads "{\"first_name\": \"Ava\", \"request_title\": \"Leaking tap\", \"identifier_type\": \"email\",
  \"email\": \"ava@example.net\", \"source_id\": \"$LEADWIRE_SOURCE\"}" "order-4711" | field uid)
echo "lead $lead"
call POST "leads/$lead/conversations/reply" '{"content": "We can come today at four."}' "answer-to-4711" | field status
