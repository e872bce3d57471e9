# SPDX-License-Identifier: MIT
tend_unit_test(test_net_resolver SOURCES test_net_resolver.c LIBS tend_net)
tend_unit_test(test_net_transfer SOURCES test_net_transfer.c LIBS tend_watch tend_net)
if(TARGET test_net_transfer)
	target_compile_definitions(test_net_transfer PRIVATE
		HTTP_SERVER="${CMAKE_CURRENT_SOURCE_DIR}/http_server.py")
endif()
tend_unit_test(test_net_allow SOURCES test_net_allow.c LIBS tend_net_address)
