#!/bin/sh
# deploy.sh WHO VERSION COMMAND...: asks WHO before it runs the command; exits with 6 when nobody answers.
# Killed and run again, it does not ask again: the question has an id of its own.
who=${1:?whom to ask} version=${2:?which version} && shift 2

answer=$(chatctl ask "$who" "Deploy $version?" --options yes,no --timeout "${CI_PATIENCE:-10m}" --id "deploy-$version") || exit
if [ "$answer" != yes ]; then
  echo "not deployed: $who said $answer" >&2
  exit 1
fi
"$@" || exit
chatctl send "$who" "$version is deployed" --id "deployed-$version" > /dev/null
