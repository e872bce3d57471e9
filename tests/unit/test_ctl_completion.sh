#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: test_ctl_completion.sh TENDCTL COMPLETION: every command, verb and option that tendctl's help names
# is one that the completion offers, and the other way round.
set -u
tendctl=$1
# shellcheck source=/dev/null
source "$2"
failed=0

offered()
{
	COMP_WORDS=(tendctl "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_tendctl
	printf '%s\n' "${COMPREPLY[@]}" | sort
}

same()
{
	if [[ $2 != "$3" ]]; then
		printf '%s: the completion offers:\n%s\nhelp says:\n%s\n' "$1" "$2" "$3"
		failed=1
	fi
}

# Names would be asked of a daemon: there is none here.
export TEND_SOCKET=/nonexistent
help=$("$tendctl" help)
commands=$(sed -n '/^$/,/^Options:/s/^  \([a-z]*\) .*/\1/p' <<<"$help" | sort -u)
same commands "$(offered '')" "$commands"
[[ $(wc -l <<<"$commands") -ge 15 ]] || { echo "help names too few commands"; failed=1; }

for command in $commands; do
	own=$("$tendctl" help "$command")
	verbs=$(sed -n "s/^  $command \([a-z]*\)[ ].*/\1/p" <<<"$own" | sort -u)
	case $command in
	explain | init | reload | status | version | help) ;;
	*) same "$command" "$(offered "$command" '')" "$verbs" ;;
	esac
	want=$(sed -n 's/^  .* *\(--[a-z-]*\).*/\1/p' <<<"$own" | sort -u)
	have=$(for verb in ${verbs:-x}; do offered "$command" "$verb" --; done | sort -u)
	same "options of $command" "$have" "$want"
done
exit $failed
