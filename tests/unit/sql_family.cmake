# SPDX-License-Identifier: MIT
set(family ${PROJECT_SOURCE_DIR}/plugins)
tend_unit_test(test_sql_family
	SOURCES test_sql_family.c ${family}/sqlkit/dialect.c ${family}/sqlkit/table.c
		${family}/quality/rule.c ${family}/rows/schema.c ${family}/sync/merge.c
	LIBS tend_base PkgConfig::JANSSON m)
if(TARGET test_sql_family)
	target_include_directories(test_sql_family PRIVATE ${family})
endif()
