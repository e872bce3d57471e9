# SPDX-License-Identifier: MIT
tend_fuzz_target(mysql_greeting
	SOURCES fuzz_mysql_greeting.c ${PROJECT_SOURCE_DIR}/plugins/mysql/greeting.c
		${PROJECT_SOURCE_DIR}/plugins/mysql/reason.c
	LIBS tend_base)
tend_fuzz_target(mysql_placeholders
	SOURCES fuzz_mysql_placeholders.c ${PROJECT_SOURCE_DIR}/plugins/mysql/placeholders.c
	LIBS tend_base)
tend_fuzz_target(ldap_head
	SOURCES fuzz_ldap_head.c ${PROJECT_SOURCE_DIR}/plugins/ldap/message.c
	LIBS tend_base)
tend_fuzz_target(work_values
	SOURCES fuzz_work_values.c
	LIBS tend_work_pool tend_conf)
