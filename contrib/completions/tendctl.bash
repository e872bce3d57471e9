# SPDX-License-Identifier: MIT
# bash completion for tendctl(1). Names are asked of the daemon, with the socket that was given.

_tendctl_names()
{
	tendctl ${_tendctl_socket:+-s "$_tendctl_socket"} -o names "$@" 2>/dev/null
}

_tendctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local command='' verb='' argument='' word i _tendctl_socket=''

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-s | --socket) _tendctl_socket=${COMP_WORDS[++i]} ;;
		-o | --output | -m | --comment | -n | --limit | --incident | --receiver | --component) ((i++)) ;;
		-*) ;;
		*)
			if [[ -z $command ]]; then command=$word
			elif [[ -z $verb ]]; then verb=$word
			elif [[ -z $argument ]]; then argument=$word
			fi ;;
		esac
	done

	local words=''
	case $prev in
	-o | --output) words='text json names' ;;
	-s | --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	-m | --comment | -n | --limit) return ;;
	--incident) words=$(_tendctl_names incident list) ;;
	--receiver) words=$(_tendctl_names receiver list) ;;
	--component) words=$(_tendctl_names component list) ;;
	*)
		if [[ $cur == -* ]]; then
			words='--output --socket --no-color --help --version'
			case $command-$verb in
			status-*) words+=' --watch' ;;
			check-list) words+=' --component' ;;
			incident-list) words+=' --open' ;;
			incident-acknowledge | action-pause) words+=' --comment' ;;
			run-list) words+=' --limit' ;;
			delivery-*) words+=' --incident --receiver --limit' ;;
			esac
		else
			case $command${verb:+-$verb} in
			'') words='status system component check incident explain policy run action delivery
				receiver reload config version help' ;;
			delivery) words='list' ;;
			system | component | receiver) words='list show' ;;
			check) words='list show run' ;;
			incident) words='list show acknowledge' ;;
			policy) words='list run' ;;
			run) words='list show' ;;
			action) words='show pause resume' ;;
			config) words='dump' ;;
			help) words='status system component check incident explain policy run action delivery
				receiver reload config version' ;;
			system-show) words=$(_tendctl_names system list) ;;
			component-show) words=$(_tendctl_names component list) ;;
			receiver-show) words=$(_tendctl_names receiver list) ;;
			check-show | check-run) words=$(_tendctl_names check list) ;;
			incident-show | incident-acknowledge) words=$(_tendctl_names incident list) ;;
			explain) words=$(_tendctl_names check list; _tendctl_names incident list --open) ;;
			run-show) words=$(_tendctl_names run list) ;;
			policy-run)
				if [[ -z $argument ]]; then words=$(_tendctl_names policy list)
				else words=$(_tendctl_names component list)
				fi ;;
			esac
		fi ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _tendctl tendctl
