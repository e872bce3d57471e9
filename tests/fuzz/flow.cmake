# SPDX-License-Identifier: MIT
set(flow_dir ${PROJECT_SOURCE_DIR}/plugins/flow)
tend_fuzz_target(flow
	SOURCES fuzz_flow.c ${flow_dir}/answer.c ${flow_dir}/compose.c ${flow_dir}/secrets.c
	LIBS tend_base PkgConfig::CURL PkgConfig::JANSSON)
if(TARGET fuzz_flow)
	target_include_directories(fuzz_flow PRIVATE ${flow_dir} ${PROJECT_SOURCE_DIR}/plugins
		${PROJECT_SOURCE_DIR}/plugins/http)
endif()
