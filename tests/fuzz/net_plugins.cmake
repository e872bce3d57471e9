# SPDX-License-Identifier: MIT
tend_fuzz_target(http_expect
	SOURCES fuzz_http_expect.c ${PROJECT_SOURCE_DIR}/plugins/http/expect.c
		${PROJECT_SOURCE_DIR}/plugins/common/pattern.c
		${PROJECT_SOURCE_DIR}/plugins/http/pointer.c
	LIBS tend_base tend_stream PkgConfig::JANSSON)
tend_fuzz_target(postgres_message
	SOURCES fuzz_postgres_message.c ${PROJECT_SOURCE_DIR}/plugins/postgres/reason.c LIBS tend_base)
tend_fuzz_target(net_hosts SOURCES fuzz_net_hosts.c LIBS tend_net)
tend_fuzz_target(unit_journal SOURCES fuzz_unit_journal.c LIBS tend_watch)
