# SPDX-License-Identifier: MIT
"""What test_exec.py's box has: units, and a manifest that allows tend-exec some of it."""

LOG = "/var/log/starts"

UNITS = {
    "yard.service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\n"
                    f"ExecStartPre=/bin/sh -c 'echo $INVOCATION_ID >> {LOG}'\n"
                    "ExecStart=/bin/sleep infinity\n",
    "other.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "broken.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
    "busy.service": "[Service]\nType=oneshot\nExecStart=/bin/sleep infinity\n"
                    "TimeoutStartSec=infinity\n",
    "masked.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "bouncing.service": "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=1h\n",
    "settings.service": "[Service]\nExecStart=/bin/sleep infinity\n"
                        f"ExecReload=/bin/sh -c 'echo reloaded >> {LOG}.reload'\n",
    "rare.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
}

MANIFEST = """
[unit yard.service]
allow = start, stop, restart
max_per_hour = 100
[unit settings.service]
allow = start, stop, reload
max_per_hour = 100
[unit other.service]
allow = start
[unit broken.service]
allow = start
[unit busy.service]
allow = start, stop
timeout = 2s
[unit masked.service]
allow = start
[unit bouncing.service]
allow = restart
[unit missing.service]
allow = start
[unit rare.service]
allow = start
max_per_hour = 2

[executor]
locks = crm, other

[sql free-job]
statement =
	update jobs set state = 'free'
	where id = {id} and queue = {queue}
risk = destroy
components = crm/*
max_rows_affected = 3
max_per_hour = 4
param.queue = pattern [a-z]+
param.id = int 1..1000000

[command say]
argv =
	/bin/sh
	-c
	id -un; pwd; echo "arguments: $#: $1 $2 $3"; echo oops >&2; touch /etc/nope /tmp/mine || echo no
	say
	{word}
	{number}
	{whole}
user = daemon
max_per_hour = 50
param.word = pattern [a-z][a-zA-Z$%{} ]*
param.number = int 1..100
param.whole = enum $HOME, plain

[command choose]
argv =
	/bin/echo
	{colour}
user = daemon
param.colour = enum red, green
max_per_hour = 50

[command show]
argv =
	/bin/cat
	{file}
user = root
param.file = path /srv/crm
max_per_hour = 50

[command environment]
argv =
	/usr/bin/env
user = daemon
risk = observe
max_per_hour = 50

[command linger]
argv =
	/bin/sh
	-c
	(trap '' TERM; exec sleep 1000) & echo $! > /tmp/pid; echo started
user = root
timeout = 2s

[command flood]
argv =
	/bin/sh
	-c
	yes 0123456789abcdef | head -c 300000; echo; echo the very end
user = daemon

[command endless]
argv =
	/bin/sh
	-c
	yes 0123456789abcdef
user = daemon
timeout = 6s
output_max = 1M

[command binary]
argv =
	/usr/bin/printf
	\\033[31mred\\377\\000end\\n
user = daemon

[command fails]
argv =
	/bin/sh
	-c
	exit 7
user = daemon

[command dies]
argv =
	/bin/sh
	-c
	kill -SEGV $$
user = daemon

[command absent]
argv = /usr/bin/not-there
user = daemon

[command slow]
argv =
	/bin/sh
	-c
	echo one; sleep 1; echo two; sleep 1; echo three
user = daemon

[command wait]
argv =
	/bin/sh
	-c
	until [ -e /run/go-$1 ]; do sleep 0.1; done
	sh
	{gate}
user = daemon
param.gate = enum a, b

[command wait-together]
argv =
	/bin/sh
	-c
	until [ -e /run/go-$1 ]; do sleep 0.1; done
	sh
	{gate}
user = daemon
concurrent = yes
param.gate = enum a, b

[command wait-and-see]
argv =
	/bin/sh
	-c
	until [ -e /run/go-$1 ]; do sleep 0.1; done
	sh
	{gate}
user = daemon
risk = observe
param.gate = enum a, b
"""
