#!/bin/sh
# remind.sh GROUP TIME TEXT: the server sends it then, whether this machine runs or not. TIME as in `send --at`: 18:00.
exec chatctl send --group "${1:?which group}" "${3:?what to say}" --at "${2:?when}"
