# SPDX-License-Identifier: MIT
# The plugins' sources are linked in: a test needs no built plugin, and sanitizers see all.
set(plugin_dir ${PROJECT_SOURCE_DIR}/plugins)
file(GLOB http_sources ${plugin_dir}/http/*.c)
tend_unit_test(test_http
	SOURCES test_http.c ${http_sources}
	LIBS tend_watch tend_stream PkgConfig::CURL PkgConfig::JANSSON PkgConfig::PCRE2)
if(TARGET test_http)
	target_compile_definitions(test_http PRIVATE
		HTTP_SERVER="${CMAKE_CURRENT_SOURCE_DIR}/http_server.py")
endif()
tend_unit_test(test_postgres
	SOURCES test_postgres.c ${plugin_dir}/postgres/call.c ${plugin_dir}/postgres/check.c
		${plugin_dir}/postgres/conf.c ${plugin_dir}/postgres/execute.c
		${plugin_dir}/postgres/look.c ${plugin_dir}/postgres/questions.c
		${plugin_dir}/postgres/postgres.c ${plugin_dir}/postgres/reason.c
		${plugin_dir}/postgres/rows.c ${plugin_dir}/postgres/session.c
	LIBS tend_watch tend_sqlkit PkgConfig::PQ PkgConfig::JANSSON)
if(TARGET test_postgres)
	target_compile_definitions(test_postgres PRIVATE
		POSTGRES_SERVER="${CMAKE_CURRENT_SOURCE_DIR}/postgres_server.py")
endif()
