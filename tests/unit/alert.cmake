# SPDX-License-Identifier: MIT
tend_unit_test(test_alert_pure SOURCES test_alert_pure.c LIBS tend_alert)
tend_unit_test(test_outbox SOURCES test_outbox.c LIBS tend_outbox)
tend_unit_test(test_outbox_random SOURCES test_outbox_random.c LIBS tend_outbox)
# The whole way: a real HTTP server, the real tend-snmp and snmptrapd, each a process of its own.
tend_unit_test(test_alert SOURCES test_alert.c LIBS tend_alert PkgConfig::SQLITE)
tend_unit_test(test_alert_told SOURCES test_alert_told.c LIBS tend_alert PkgConfig::SQLITE)
tend_unit_test(test_alert_group SOURCES test_alert_group.c LIBS tend_alert PkgConfig::SQLITE)
tend_unit_test(test_alert_change SOURCES test_alert_change.c LIBS tend_alert PkgConfig::SQLITE)
tend_unit_test(test_alert_hand_over SOURCES test_alert_hand_over.c LIBS tend_alert PkgConfig::SQLITE)
foreach(test test_alert test_alert_change test_alert_group test_alert_hand_over test_alert_told)
	if(TARGET ${test})
		target_compile_definitions(${test} PRIVATE
			ALERT_SINK="${CMAKE_CURRENT_SOURCE_DIR}/alert_sink.py"
			LIBEXEC_DIR="$<TARGET_FILE_DIR:tend-snmp>")
		add_dependencies(${test} tend-snmp)
	endif()
endforeach()
tend_unit_test(test_view SOURCES test_view.c LIBS tend_notice)
if(TARGET test_view)
	target_compile_definitions(test_view PRIVATE
		FORMATS_DIR="${PROJECT_SOURCE_DIR}/tests/lua/formats")
endif()
tend_unit_test(test_webhook SOURCES test_webhook.c LIBS tend_notice)
tend_unit_test(test_alert_format SOURCES test_alert_format.c LIBS tend_alert PkgConfig::SQLITE)
if(TARGET test_alert_format)
	target_compile_definitions(test_alert_format PRIVATE
		ALERT_SINK="${CMAKE_CURRENT_SOURCE_DIR}/alert_sink.py"
		LIBEXEC_DIR="$<TARGET_FILE_DIR:tend-snmp>" RUN_DIR="$<TARGET_FILE_DIR:tend-run>"
		LUA_DIR="${PROJECT_SOURCE_DIR}/lua")
	add_dependencies(test_alert_format tend-run)
	set_tests_properties(unit/test_alert_format PROPERTIES TIMEOUT 400)
endif()
