# SPDX-License-Identifier: MIT
tend_fuzz_target(look_proc SOURCES fuzz_look_proc.c LIBS tend_look_pure)
tend_fuzz_target(look_sieve SOURCES fuzz_look_sieve.c LIBS tend_look_pure)
tend_fuzz_target(look_ruleset SOURCES fuzz_look_ruleset.c LIBS tend_look_pure tend_look_answer)
tend_fuzz_target(machine
	SOURCES fuzz_machine.c ${PROJECT_SOURCE_DIR}/plugins/machine/verdict.c
		${PROJECT_SOURCE_DIR}/plugins/machine/sift.c
		${PROJECT_SOURCE_DIR}/plugins/host/judge.c
		${PROJECT_SOURCE_DIR}/plugins/host/forecast.c
		${PROJECT_SOURCE_DIR}/plugins/journal/judge.c
		${PROJECT_SOURCE_DIR}/plugins/process/judge.c
		${PROJECT_SOURCE_DIR}/plugins/file/judge.c
		${PROJECT_SOURCE_DIR}/plugins/timer/judge.c
		${PROJECT_SOURCE_DIR}/plugins/certfile/judge.c
		${PROJECT_SOURCE_DIR}/plugins/ports/judge.c
		${PROJECT_SOURCE_DIR}/plugins/firewall/judge.c
		${PROJECT_SOURCE_DIR}/plugins/antivirus/judge.c
	LIBS tend_base PkgConfig::JANSSON PkgConfig::PCRE2 m)
