# SPDX-License-Identifier: MIT
tend_fuzz_target(formats SOURCES fuzz_formats.c LIBS tend_run)
if(TARGET fuzz_formats)
	target_compile_definitions(fuzz_formats PRIVATE TEND_SOURCE_LUA="${PROJECT_SOURCE_DIR}/lua"
		TEND_FUZZ_LUA="${CMAKE_CURRENT_SOURCE_DIR}/fuzz_formats.lua")
endif()
