# SPDX-License-Identifier: MIT
# Their sources, so that the fuzzer sees them.
set(family ${PROJECT_SOURCE_DIR}/plugins)
tend_fuzz_target(sql_family
	SOURCES fuzz_sql_family.c ${family}/sqlkit/ask.c ${family}/sqlkit/dialect.c
		${family}/sqlkit/table.c ${family}/sql/judge.c ${family}/sql/sql.c
		${family}/queue/queue.c ${family}/scheduler/rules.c ${family}/scheduler/scheduler.c
		${family}/rows/judge.c ${family}/rows/rows.c ${family}/rows/schema.c
		${family}/quality/quality.c ${family}/quality/rule.c ${family}/sync/merge.c
		${family}/sync/sync.c
	LIBS tend_conf PkgConfig::JANSSON m)
target_include_directories(fuzz_sql_family PRIVATE ${family})
