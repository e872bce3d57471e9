# SPDX-License-Identifier: MIT
foreach(blocker blocker blocker2)
	add_library(test_${blocker} MODULE blocker_plugin.c)
	set_target_properties(test_${blocker} PROPERTIES PREFIX "" OUTPUT_NAME ${blocker}
		C_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/blockers)
	target_compile_definitions(test_${blocker} PRIVATE BLOCKER=${blocker})
	target_include_directories(test_${blocker} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/include)
	target_link_libraries(test_${blocker} PRIVATE tend_flags PkgConfig::JANSSON)
endforeach()
tend_unit_test(test_work SOURCES test_work.c LIBS tend_watch PkgConfig::JANSSON LABELS sandbox)
if(TARGET test_work)
	set_target_properties(test_work PROPERTIES ENABLE_EXPORTS ON)
	add_dependencies(test_work tend-work test_blocker test_blocker2)
	target_compile_definitions(test_work PRIVATE TEND_WORK="$<TARGET_FILE:tend-work>"
		BLOCKERS="${PROJECT_BINARY_DIR}/tests/blockers")
endif()
tend_unit_test(test_mysql
	SOURCES test_mysql.c ${PROJECT_SOURCE_DIR}/plugins/mysql/greeting.c
		${PROJECT_SOURCE_DIR}/plugins/mysql/placeholders.c
		${PROJECT_SOURCE_DIR}/plugins/mysql/reason.c
	LIBS tend_conf)
tend_unit_test(test_ldap
	SOURCES test_ldap.c ${PROJECT_SOURCE_DIR}/plugins/ldap/conf.c
		${PROJECT_SOURCE_DIR}/plugins/ldap/message.c ${PROJECT_SOURCE_DIR}/plugins/ldap/reason.c
	LIBS tend_conf)
