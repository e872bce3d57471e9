# SPDX-License-Identifier: MIT
tend_unit_test(test_snmp_mib SOURCES test_snmp_mib.c LIBS tend_snmp_varbinds)
if(TARGET test_snmp_mib)
	target_compile_definitions(test_snmp_mib PRIVATE
		TEST_MIB="${PROJECT_SOURCE_DIR}/contrib/mibs/TEND-MIB.txt")
endif()
tend_unit_test(test_snmp_varbinds SOURCES test_snmp_varbinds.c LIBS tend_snmp_varbinds)
tend_unit_test(test_snmp_boots SOURCES test_snmp_boots.c LIBS tend_snmp_net)
tend_unit_test(test_snmp_serve SOURCES test_snmp_serve.c LIBS tend_snmp_mirror)
tend_unit_test(test_snmp_pdu SOURCES test_snmp_pdu.c LIBS tend_snmp_net)
# The feed with its own tables of checks and incidents, and a real helper process that reads or not.
tend_unit_test(test_snmp_feed SOURCES test_snmp_feed.c LIBS tend_snmp_feed)
if(TARGET tend_snmp_varbinds)
	add_executable(varbinds_tool varbinds_tool.c)
	target_link_libraries(varbinds_tool PRIVATE tend_snmp_varbinds)
endif()
