# SPDX-License-Identifier: MIT
set(flow_dir ${PROJECT_SOURCE_DIR}/plugins/flow)
tend_unit_test(test_flow
	SOURCES test_flow.c ${flow_dir}/answer.c ${flow_dir}/compose.c ${flow_dir}/secrets.c
	LIBS tend_base PkgConfig::CURL PkgConfig::JANSSON)
if(TARGET test_flow)
	target_include_directories(test_flow PRIVATE ${flow_dir} ${PROJECT_SOURCE_DIR}/plugins
		${PROJECT_SOURCE_DIR}/plugins/http)
endif()
