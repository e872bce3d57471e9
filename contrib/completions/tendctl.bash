# SPDX-License-Identifier: MIT
# bash completion for tendctl(1). Names are asked of the daemon, with the socket that was given.

_tendctl_names()
{
	tendctl ${_tendctl_socket:+-s "$_tendctl_socket"} -o names "$@" 2>/dev/null
}

# KEY= of a probe's options; those by name as KEY.
_tendctl_probe_keys()
{
	tendctl -o json probe show "$1" 2>/dev/null | awk -F'"' '
		$2 == "name" { name = $4 }
		$2 == "map" { print name ($0 ~ /true/ ? "." : "=") }'
}

# NAME= of a flow's parameters, secret.NAME= of its secrets.
_tendctl_flow_names()
{
	tendctl flow check "$1" 2>/dev/null | awk '
		$1 ~ /^param\./ { print substr($1, 7) "=" }
		$1 ~ /^secret\./ { print $1 "=file:" }'
}

# Approvals that wait: the first two columns of the list are the id and the state.
_tendctl_waiting()
{
	tendctl ${_tendctl_socket:+-s "$_tendctl_socket"} approval list 2>/dev/null |
		awk '$2 == "waiting" { print $1 }'
}

_tendctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local command='' verb='' argument='' word i _tendctl_socket=''

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-s | --socket) _tendctl_socket=${COMP_WORDS[++i]} ;;
		-o | --output | -m | --comment | -n | --limit | --next | --incident | --receiver | --component | --policy | --target | --state | --junit | -c | --config | --since | -f | --file | --for | --until | --from | --at | --language | --sample | --ttl | --reason) ((i++)) ;;
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
	-o | --output)
		if [[ $command == init ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return; fi
		words='text json names' ;;
	-s | --socket | --junit | -c | --config | -f | --file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	-m | --comment | -n | --limit | --next | --since | --for | --until | --from | --at | --ttl) return ;;
	--incident) words=$(_tendctl_names incident list) ;;
	--receiver) words=$(_tendctl_names receiver list) ;;
	--component | --target) words=$(_tendctl_names component list) ;;
	--policy) words=$(_tendctl_names policy list) ;;
	--language) words='en zh' ;;
	--reason) words='reported-warning reported-critical reported-unknown stale not-run data-quality rows-lost' ;;
	--sample) words='raised changed cleared raised-cleared reminder acknowledged late group storm long policy message heartbeat test' ;;
	--state) words='queued live done refused failed unknown cancelled' ;;
	*)
		if [[ $cur == -* ]]; then
			words='--output --socket --no-color --help --version'
			case $command-$verb in
			status-*) words+=' --watch' ;;
			check-list) words+=' --component' ;;
			check-try) words+=' --nagios --verbose' ;;
			check-report) words+=' --ttl --reason' ;;
			incident-list) words+=' --open' ;;
			action-pause | incident-unacknowledge) words+=' --comment' ;;
			incident-acknowledge) words+=' --comment --sticky --for --until' ;;
			silence-list | silence-) words+=' --all' ;;
			silence-add) words+=' --comment --for --until --from --until-resolved' ;;
			route-*) words+=' --at' ;;
			metric-* | report-*) words+=' --since' ;;
			rota-*) words+=' --next' ;;
			notice-*) words+=' --receiver' ;;
			flow-run) words+=' --verbose' ;;
			format-test) words+=' --receiver --config --language --sample --send' ;;
			policy-check) words+=' --config' ;;
			policy-test) words+=' --junit --verbose --config' ;;
			policy-replay) words+=' --since --config --file --verbose' ;;
			approval-list) words+=' --limit' ;;
			approval-grant | approval-deny) words+=' --comment' ;;
			run-list) words+=' --limit --policy --target --state' ;;
			run-cancel) words+=' --comment' ;;
			policy-run) words+=' --dry-run' ;;
			policy-next) words+=' --limit' ;;
			window-*) words+=' --next' ;;
			feedback-list | feedback-) words+=' --limit --component' ;;
			feedback-add | feedback-answer | feedback-close) words+=' --comment' ;;
			delivery-list | delivery-) words+=' --incident --receiver --limit' ;;
			backup-* | finding-exceptions | record-list | record-) words+=' --limit' ;;
			finding-list) words+=' --open --limit' ;;
			finding-accept | record-remove) words+=' --comment' ;;
			finding-) words+=' --open --limit' ;;
			esac
		else
			case $command${verb:+-$verb} in
			'') words='status system component check probe incident explain metric report policy run approval action window silence route rota notice heartbeat feedback backup finding record delivery
				receiver flow format reload config init version help' ;;
			delivery) words='list show' ;;
			system | component) words='list show' ;;
			receiver) words='list show test' ;;
			check) words='list show run report try' ;;
			probe) words='list show' ;;
			incident) words='list show acknowledge unacknowledge' ;;
			silence) words='list add show expire' ;;
			route) words='test' ;;
			rota) words='show' ;;
			notice) words='preview' ;;
			heartbeat) words='list' ;;
			feedback) words='list show add answer close' ;;
			flow) words='list check run' ;;
			format) words='list test' ;;
			policy) words='list run next enable check test replay' ;;
			approval) words='list show grant deny' ;;
			run) words='list show follow cancel' ;;
			action) words='show pause resume drain undrain' ;;
			config) words='dump' ;;
			window | backup) words='list' ;;
			metric) words='show list' ;;
			report) words='availability' ;;
			finding) words='list accept exceptions' ;;
			record) words='list show remove' ;;
			record-list | record-show | record-remove) words='note backup inventory baseline report finding exception' ;;
			help) words='status system component check probe incident explain metric report policy run approval action window silence route rota notice heartbeat feedback backup finding record delivery
				receiver flow format reload config init version' ;;
			feedback-show | feedback-answer | feedback-close) words=$(_tendctl_names feedback list) ;;
			feedback-add) words=$(_tendctl_names component list) ;;
			system-show) words=$(_tendctl_names system list) ;;
			component-show | report-availability | backup-list | finding-*) words=$(_tendctl_names component list) ;;
			receiver-show | receiver-test) words=$(_tendctl_names receiver list) ;;
			probe-show) words=$(_tendctl_names probe list) ;;
			check-try)
				if [[ -z $argument ]]; then words=$(_tendctl_names probe list)
				else
					compopt -o nospace
					words=$(_tendctl_probe_keys "$argument")
				fi ;;
			check-show | check-run) words=$(_tendctl_names check list) ;;
			check-report)
				if [[ -z $argument ]]; then words=$(_tendctl_names check list)
				else words='ok warning critical unknown'
				fi ;;
			incident-show | incident-acknowledge | incident-unacknowledge) words=$(_tendctl_names incident list) ;;
			notice-preview | explain) words=$(_tendctl_names check list; _tendctl_names incident list --open) ;;
			run-show | run-follow) words=$(_tendctl_names run list) ;;
			run-cancel) words=$(_tendctl_names run list --state=live; _tendctl_names run list --state=queued) ;;
			approval-show) words=$(_tendctl_names approval list) ;;
			approval-grant | approval-deny) words=$(_tendctl_waiting) ;;
			silence-show | silence-expire) words=$(_tendctl_names silence list) ;;
			silence-add | route-test) words='component= check= system= environment= severity= kind= class= reason= host=' ;;
			rota-show) words=$(_tendctl_names rota show) ;;
			metric-show | metric-list) words=$(_tendctl_names check list) ;;
			window-list) words=$(_tendctl_names window list | sort -u) ;;
			policy-replay | policy-next | policy-enable) words=$(_tendctl_names policy list) ;;
			flow-check) mapfile -t COMPREPLY < <(compgen -W "$(_tendctl_names flow list)" -- "$cur"; compgen -f -- "$cur"); return ;;
			flow-run)
				if [[ -z $argument ]]; then mapfile -t COMPREPLY < <(compgen -W "$(_tendctl_names flow list)" -- "$cur"; compgen -f -- "$cur"); return; fi
				compopt -o nospace
				words=$(_tendctl_flow_names "$argument") ;;
			format-test) mapfile -t COMPREPLY < <(compgen -W "$(_tendctl_names format list)" -- "$cur"; compgen -f -- "$cur"); return ;;
			policy-check | policy-test) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
			policy-run)
				if [[ -z $argument ]]; then words=$(_tendctl_names policy list)
				else words=$(_tendctl_names component list; _tendctl_names check list)
				fi ;;
			esac
		fi ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _tendctl tendctl
