#!/bin/sh
# run-tests.sh WHO COMMAND...: runs the tests; when they fail, WHO gets the end of what they said.
# Exits as the tests did, whether the message got through or not.
who=${1:?whom to tell} && shift
status_file=${CI_STATUS:-ci-status}
log=$(mktemp) || exit
trap 'rm -f "$log"' EXIT

"$@" > "$log" 2>&1
code=$?
cat "$log"
if [ "$code" = 0 ]; then
  echo "green: $*, $(date)" > "$status_file"
  exit 0
fi
echo "red: $*, $(date)" > "$status_file"
# iconv leaves out what is no text: a message is UTF-8.
{ echo "failed with $code: $*"; tail -n 20 "$log" | tail -c 8000 | iconv -c -f UTF-8 -t UTF-8; } |
  chatctl send "$who" - > /dev/null || echo 'nobody could be told' >&2
exit "$code"
